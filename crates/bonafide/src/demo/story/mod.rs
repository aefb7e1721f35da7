//! The story, chapter by chapter. Each step is a function: it acts, shows what happened and checks it.

mod attackers;
mod first_login;
mod ladder;
mod over_the_air;
mod setup;

use std::time::Instant;

use super::scene::{Scene, Told};
use super::stage::Stage;
use super::teller::Teller;
use crate::error::Failure;

/// Tells all of it.
pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    setup::tell(stage, teller).await?;
    first_login::tell(stage, teller).await?;
    attackers::tell(stage, teller).await?;
    over_the_air::tell(stage, teller).await?;
    ladder::tell(stage, teller).await
}

/// Runs one step and tells it.
async fn step(
    stage: &mut Stage,
    teller: &mut Teller,
    names: (&'static str, &'static str),
    act: impl AsyncFnOnce(&mut Stage, &mut Scene) -> Told,
) -> Result<(), Failure> {
    let mut scene = Scene::default();
    let began = Instant::now();
    let told = act(stage, &mut scene).await;
    teller.step(&scene.into_step(names, told, began.elapsed()))
}
