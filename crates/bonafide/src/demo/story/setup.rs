//! Chapter one: the operator sets the service up, with the commands of the article.

use super::super::scene::{Holds, Scene, Told, expect};
use super::super::stage::Stage;
use super::super::teller::Teller;
use super::step;
use crate::error::Failure;

const ABOUT: &str = "One process runs the service. Each command below is typed in a second terminal and goes through \
    the admin API.";

pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("1. The operator sets the service up", ABOUT)?;
    let names = ("role-admin", "An admin session for one hour");
    step(stage, teller, names, role_admin).await?;
    let names = (
        "managed-roots-on",
        "Managed trust roots, whatever a phone's own store says",
    );
    step(stage, teller, names, managed_roots_on).await?;
    let names = (
        "apis-added",
        "The three hosts that Books talks to; none of them is ours",
    );
    step(stage, teller, names, apis_added).await?;
    let names = ("rejection-reasons-on", "Let refused apps see why");
    step(stage, teller, names, rejection_reasons_on).await?;
    let names = (
        "secret-added",
        "The client secret moves out of the app, into the service",
    );
    step(stage, teller, names, secret_added).await?;
    let names = (
        "phone-trusted",
        "Two steps for the virtual phone that a real one does not need",
    );
    step(stage, teller, names, phone_trusted).await
}

async fn role_admin(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.command("eval \"$(bonafide role admin)\"");
    let printed = stage.operator.evaluates("bonafide role admin").await?;
    scene.output(printed);
    scene.why(
        "The root credential that the first start printed opens sessions; a session has a role and ends by \
         itself. It is the session that the commands below use.",
    );
    Ok(())
}

async fn managed_roots_on(stage: &mut Stage, scene: &mut Scene) -> Told {
    let types = &stage.operator;
    types
        .types(scene, "bonafide trust managed-roots on")
        .await?;
    for name in ["demo-public-ca", "wobbly-public-ca"] {
        let command = format!("bonafide trust root add {name} {name}.pem");
        types.types(scene, &command).await?;
    }
    scene.why(
        "Protected hosts are believed only through roots of the signed trust bundle. The bundle has the roots of \
         the Mozilla programme; the two authorities of this story's small internet join them.",
    );
    Ok(())
}

async fn apis_added(stage: &mut Stage, scene: &mut Scene) -> Told {
    for host in [
        "oauth2.googleapis.com",
        "accounts.google.com",
        "www.googleapis.com",
    ] {
        let command = format!("bonafide api add {host} --no-token");
        stage.operator.types(scene, &command).await?;
    }
    scene.why(
        "No token, since these hosts could not check one: what they get is the protected channel, and the secret \
         that is due there.",
    );
    Ok(())
}

async fn rejection_reasons_on(stage: &mut Stage, scene: &mut Scene) -> Told {
    let command = "bonafide policy set rejection-reasons on";
    stage.operator.types(scene, command).await?;
    scene.why("Off by default: whoever probes the service should not be told what to mend.");
    Ok(())
}

async fn secret_added(stage: &mut Stage, scene: &mut Scene) -> Told {
    let command =
        "bonafide secret add client_secret --host oauth2.googleapis.com --use oauth --life 5s";
    let secret = stage.client_secret()?.expose().to_owned();
    let shown = "printf %s \"$GOOGLE_CLIENT_SECRET\"";
    stage
        .operator
        .pipes(scene, (shown, &secret), command)
        .await?;
    scene.why(
        "Sealed at rest; no command reads it back. It may go to one host, for OAuth client authentication, and an \
         app may hold it for five seconds. The APK of Books was searched: it is not in there.",
    );
    expect(Holds(!stage.leaks(stage.apk().bytes())), || {
        "the APK contains the secret".to_owned()
    })
}

async fn phone_trusted(stage: &mut Stage, scene: &mut Scene) -> Told {
    let operator = &stage.operator;
    operator
        .types(scene, "bonafide anchor add virtual-phone phone-root.pem")
        .await?;
    operator
        .types(scene, "bonafide policy set development observe")
        .await?;
    scene.why(
        "Real phones chain to Google's keys, which are built in. This one has a factory of its own, so its root is \
         added, and everything under it stays marked `development`. Without the second command the policy refuses \
         that mark.",
    );
    Ok(())
}
