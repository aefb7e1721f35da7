//! Chapter three: what attackers try, each against the running service.

use super::super::attack::{self, Issuer};
use bonafide_sdk::Host;

use super::super::scene::{Holds, OrOtherwise as _, Scene, Told, expect};
use super::super::stage::Stage;
use super::super::teller::Teller;
use super::super::thief;
use super::first_login::OWN_API;
use super::step;
use crate::error::Failure;

const ABOUT: &str =
    "The attackers have the APK, phones of their own, the wire, and an authority in the kitchen.";

pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("3. What attackers try", ABOUT)?;
    let names = (
        "clone-refused",
        "A clone: Books with a backdoor, signed by somebody else",
    );
    step(stage, teller, names, clone_refused).await?;
    let names = (
        "tampered-apk-refused",
        "A changed APK under the old signature",
    );
    step(stage, teller, names, tampered_apk_refused).await?;
    let names = (
        "unlocked-phone-refused",
        "The genuine app on a phone with an unlocked boot loader",
    );
    step(stage, teller, names, unlocked_phone_refused).await?;
    let names = ("debugger-refused", "A debugger inside the genuine app");
    step(stage, teller, names, debugger_refused).await?;
    let names = ("replay-gains-nothing", "A captured request, sent again");
    step(stage, teller, names, replay_gains_nothing).await?;
    let names = (
        "altered-request-refused",
        "The captured request, with the attacker's key in it",
    );
    step(stage, teller, names, altered_request_refused).await?;
    let names = (
        "kitchen-ca-refused",
        "A man in the middle; his authority is in the phone's store",
    );
    step(stage, teller, names, kitchen_ca_refused).await?;
    let names = (
        "managed-roots-matter",
        "For comparison: the same man, with managed roots off",
    );
    step(stage, teller, names, managed_roots_matter).await?;
    let names = ("stolen-code-refused", "A stolen authorization code");
    step(stage, teller, names, stolen_code_refused).await?;
    let names = (
        "other-host-refused",
        "The genuine app, talked into sending the secret elsewhere",
    );
    step(stage, teller, names, other_host_refused).await
}

async fn clone_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("Another phone, locked and genuine. On it: the same package and version, other code, another signer.");
    let clone = stage.clone_on_another_phone()?;
    let refusal = clone.login_refused().await?;
    refusal.show(scene);
    let api = Host::parse(OWN_API).or_otherwise("a host")?;
    let token = clone.attestation_token(&api).await;
    expect(Holds(token.is_err()), || "it got a token".to_owned())?;
    scene.why(
        "Android tells the hardware which certificate signed the app that asks for a key; the clone cannot have the developer's. It gets neither secret nor token; there is no such thing as a token that says no.",
    );
    refusal.must_name("app-not-registered")
}

async fn tampered_apk_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    stage.write_tampered_apk()?;
    let printed = stage
        .operator
        .tries(scene, "bonafide registration add tampered.apk")
        .await?;
    scene.refused("rejected", "rejected, nothing registered");
    scene.why("One byte of classes.dex differs from what the signature covers. No phone would install it either.");
    expect(Holds(!printed.done), || "it was registered".to_owned())
}

async fn unlocked_phone_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("The registered build, on a phone whose boot loader is unlocked; so its system may be anybody's.");
    let handset = stage.books_on_unlocked_phone()?;
    let refusal = handset.login_refused().await?;
    refusal.show(scene);
    scene.why("The boot loader tells the hardware, and the hardware tells us: nothing that runs later can change it.");
    refusal.must_name("bootloader-unlocked")
}

async fn debugger_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("The phone of chapter two, enrolled and in good standing; then somebody attaches a debugger and logs in again.");
    stage.books.attach_debugger()?;
    let refusal = stage.books.login_refused().await;
    stage.books.detach_debugger()?;
    let refusal = refusal?;
    refusal.show(scene);
    scene.why(
        "Judged anew at every request. This is what the SDK measures in its own process, so it is the weaker kind \
         of evidence; an attacker good enough to lie to it still cannot lie to the hardware.",
    );
    refusal.must_name("debugger-attached")
}

async fn replay_gains_nothing(stage: &mut Stage, scene: &mut Scene) -> Told {
    stage.tap.forget();
    stage.books.login().await.or_otherwise("login")?;
    let captured = attack::captured_attestation(stage)?;
    scene.sent(format!(
        "Somebody on the wire reads a whole login and sends its attestation again, all {} bytes of it.",
        captured.len()
    ));
    let answer = attack::resend(stage, &captured).await?;
    let heard = attack::heard(stage);
    let leaked = stage.leaks(&heard);
    scene.allowed(format!(
        "answered {}, with {} bytes that only the phone could open, and it has forgotten the key",
        answer.status,
        answer.body.len()
    ));
    scene.why(format!(
        "The reply is sealed to a key that lived inside one request of the phone. In the {} bytes heard on the \
         wire, which is not even encrypted here, the secret does not occur.",
        heard.len()
    ));
    answer.must_be_sealed()?;
    expect(Holds(!leaked), || "the secret was on the wire".to_owned())
}

async fn altered_request_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    let captured = attack::captured_attestation(stage)?;
    scene.sent("The same request again; the response key in it is now the attacker's own.");
    let answer = attack::resend_with_own_key(stage, &captured).await?;
    let code = answer.problem_code()?;
    scene.refused(&code, format!("{}, {code}", answer.status));
    scene.why("The phone's hardware key signed the payload, the response key with it. The attacker has no such key.");
    expect(Holds(code == "proof-invalid"), || format!("it said {code}"))
}

async fn kitchen_ca_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent(
        "The attacker owns the network and got his authority into the phone's certificate store. He answers for \
         oauth2.googleapis.com with a certificate that the phone itself would believe.",
    );
    let outcome = attack::login_through_middleman(stage, Issuer::Kitchen).await?;
    outcome.show(scene);
    scene.why("Managed roots are on: the phone's store is not asked. The handshake never finished, so he heard nothing.");
    outcome.must_have_heard_nothing()
}

/// What would happen without the second command of the set-up; it shows that the step before is no accident.
async fn managed_roots_matter(stage: &mut Stage, scene: &mut Scene) -> Told {
    let operator = &stage.operator;
    operator
        .types(scene, "bonafide trust managed-roots off")
        .await?;
    let outcome = attack::login_through_middleman(stage, Issuer::Kitchen).await;
    operator
        .types(scene, "bonafide trust managed-roots on")
        .await?;
    let outcome = outcome?;
    let heard = outcome.heard();
    let leaked = stage.leaks(heard);
    scene.allowed(format!(
        "Books believed the phone's store: he read its token request, {} bytes, the client secret in it",
        heard.len()
    ));
    scene.why(
        "An attested app on a genuine phone still has to know whom it talks to. The secret is burnt; the next chapter \
         replaces it. (Where the service adds the secret itself, rung 2 of the ladder, there is none to read.)",
    );
    expect(Holds(leaked), || "he did not hear the secret".to_owned())
}

async fn stolen_code_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent(
        "Malware catches a fresh authorization code, and the verifier too, and sends both to the token endpoint \
         from its own computer. It lacks the secret.",
    );
    let refusal = thief::exchange_stolen_code(stage).await?;
    scene.refused(&refusal.error, refusal.to_string());
    scene.why("The code is worth nothing without the client authentication, which exists only for attested instances.");
    let code = &refusal.error;
    expect(
        Holds(code == "invalid_client" || code == "invalid_request"),
        || format!("it said {code}"),
    )
}

async fn other_host_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("A library inside Books, not quite what it seems, asks for the secret to send it to www.googleapis.com.");
    let host = Host::parse("www.googleapis.com").or_otherwise("a host")?;
    let released = stage.books.client_secret(&host).await;
    let refusal = released.err().or_otherwise("it got the secret")?;
    let code = refusal.code();
    scene.refused(code, code);
    scene.why("The instance is allowed, this wish is not: the secret was added for one host, and is released for that host only.");
    expect(Holds(code == "host-not-allowed"), || {
        format!("it said {code}")
    })
}
