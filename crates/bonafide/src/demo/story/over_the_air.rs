//! Chapter four: changes over the air, for apps that are already out there.

use super::super::attack::{self, Issuer};
use super::super::scene::{Holds, OrOtherwise as _, Scene, Told, expect};
use super::super::stage::Stage;
use super::super::teller::Teller;
use super::step;
use crate::error::Failure;

const ABOUT: &str =
    "No app release in this chapter: every phone has the build of chapter two, or a newer one.";

pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("4. Over the air", ABOUT)?;
    let names = ("root-withdrawn", "A public authority loses its standing");
    step(stage, teller, names, root_withdrawn).await?;
    let names = ("secret-rotated", "The secret is rotated");
    step(stage, teller, names, secret_rotated).await?;
    let names = (
        "developer-let-through",
        "A developer's unregistered build, let through for eight hours",
    );
    step(stage, teller, names, developer_let_through).await
}

async fn secret_rotated(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent(
        "Two men in the middle have read the secret by now, so somebody presses \"reset\" in the provider's console. \
         Books still gets the old one, and tries to log in.",
    );
    stage.rotate_at_provider();
    let failed = stage.books.login().await.err();
    let failed = failed.or_otherwise("the old secret still worked")?;
    scene.refused(failed.code(), failed.code());
    scene.screen(failed.to_string());
    let command = "bonafide secret rotate client_secret";
    let shown = "printf %s \"$NEW_CLIENT_SECRET\"";
    let fresh = stage.client_secret()?.expose();
    stage.operator.pipes(scene, (shown, fresh), command).await?;
    let user = stage
        .books
        .login()
        .await
        .or_otherwise("login with the new secret")?;
    scene.allowed(format!(
        "the next login works: {user}, same build, same install"
    ));
    scene.why("With a secret compiled into the app this is a release, and weeks until the last user has it.");
    Ok(())
}

async fn root_withdrawn(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent(
        "One of the two public authorities was caught issuing for whoever asked. The attacker has its certificate \
         for oauth2.googleapis.com. Before: the authority is in the bundle.",
    );
    let before = attack::login_through_middleman(stage, Issuer::Wobbly).await?;
    let heard = before.heard().len();
    scene.allowed(format!(
        "Books believed him: he read its token request, {heard} bytes, the client secret in it"
    ));
    let leaked = stage.leaks(before.heard());
    expect(Holds(leaked), || "before, he heard nothing".to_owned())?;
    let command = "bonafide trust root remove wobbly-public-ca --yes";
    stage.operator.types(scene, command).await?;
    scene.sent("After: the same man, the same certificate, the same app. Phones still have the authority in their stores.");
    let after = attack::login_through_middleman(stage, Issuer::Wobbly).await?;
    after.show(scene);
    scene.why(
        "The new bundle, signed and with a higher version, reached the app before the connection; no bundle can \
         bring the old one back. For hosts of your own, pins narrow this down to one key.",
    );
    after.must_have_heard_nothing()?;
    let user = stage
        .books
        .login()
        .await
        .or_otherwise("login over the honest network")?;
    scene.allowed(format!("over the honest network login goes on: {user}"));
    Ok(())
}

async fn developer_let_through(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("A developer's phone with tonight's debug build, which changes too often to be registered each time.");
    let handset = stage.developers_phone()?;
    let refusal = handset.login_refused().await?;
    refusal.show(scene);
    refusal.must_name("app-not-registered")?;
    let support_id = refusal.support_id()?;
    let command = format!(
        "bonafide device add {support_id} --always-pass --for 8h --reason \"developing the login\""
    );
    stage.operator.types(scene, &command).await?;
    let user = handset
        .login()
        .await
        .or_otherwise("login under the override")?;
    scene.allowed(format!("logged in as {user}"));
    scene.why("One device, with an owner, a reason and an end. Its evidence must be authentic all the same.");
    Ok(())
}
