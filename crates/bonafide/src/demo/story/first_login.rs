//! Chapter two: Books, before and after somebody registered its build.

use std::time::Instant;

use bonafide_sdk::Host;

use super::super::scene::{Holds, OrOtherwise as _, Scene, Told, expect};
use super::super::stage::Stage;
use super::super::teller::Teller;
use super::step;
use crate::error::Failure;

const ABOUT: &str = "A phone with Books on it. Searching is public; favourites need a Google login, and the token \
    endpoint wants the client secret.";

/// A host that is ours.
pub(super) const OWN_API: &str = "shelves.books.example";

pub(super) async fn tell(stage: &mut Stage, teller: &mut Teller) -> Result<(), Failure> {
    teller.chapter("2. Books meets the service", ABOUT)?;
    let names = ("search-works", "Search works");
    step(stage, teller, names, search_works).await?;
    let names = (
        "login-refused",
        "Login fails: nobody has registered this build",
    );
    step(stage, teller, names, login_refused).await?;
    let names = ("build-registered", "The operator registers the build");
    step(stage, teller, names, build_registered).await?;
    let names = ("login-works", "The next login works; nothing was restarted");
    step(stage, teller, names, login_works).await?;
    let names = ("favorites-load", "Favourites and their covers load");
    step(stage, teller, names, favorites_load).await?;
    let names = (
        "token-verifies",
        "An API of your own gets more: a token that it can check",
    );
    step(stage, teller, names, token_verifies).await
}

async fn search_works(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("Books asks www.googleapis.com for `q=adventures`, over a connection that the trust bundle allows.");
    let books = stage
        .books
        .search("adventures")
        .await
        .or_otherwise("search")?;
    scene.allowed(format!("{} books: {}", books.len(), shortened(&books)));
    expect(Holds(!books.is_empty()), || {
        "the search found nothing".to_owned()
    })
}

async fn login_refused(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent(
        "The user signs in and consents in the browser; Books gets its authorization code. To exchange it, the SDK \
         makes a new hardware key, sends its attestation (4 certificates over the service's challenge) and asks \
         for `client_secret`.",
    );
    let refusal = stage.books.login_refused().await?;
    refusal.show(scene);
    refusal.must_name("app-not-registered")?;
    let support_id = refusal.support_id()?;
    let command = format!("bonafide verdict show {support_id}");
    stage.operator.types(scene, &command).await?;
    scene.why(
        "The phone's evidence is authentic, but no registration matches the package, version and signing \
         certificate that it attests. The login is aborted; the code is useless without the secret.",
    );
    Ok(())
}

async fn build_registered(stage: &mut Stage, scene: &mut Scene) -> Told {
    let inspected = "bonafide artifact inspect books.apk";
    stage.operator.types(scene, inspected).await?;
    let registered = "bonafide registration add books.apk";
    stage.operator.types(scene, registered).await?;
    stage.registered_at = Some(Instant::now());
    scene.why("Signatures and content are verified before anything is registered; a file that fails registers nothing.");
    Ok(())
}

async fn login_works(stage: &mut Stage, scene: &mut Scene) -> Told {
    let since = stage.registered_at.or_otherwise("nothing was registered")?;
    scene.sent(
        "Books has kept the code, sealed, and goes on where it was refused; the user is not asked again. This time the \
         answer holds the secret, sealed to a key that the SDK made for this one request; Books puts it into the token \
         request and drops it.",
    );
    let user = stage.books.login().await.or_otherwise("login")?;
    let waited = since.elapsed();
    scene.allowed(format!(
        "logged in as {user}, {} ms after the registration; the whole login included",
        waited.as_millis()
    ));
    scene.why(
        "The first try after the registration: it is in force on the running service before the command returns. The \
         reference system asks to wait 30 s.",
    );
    Ok(())
}

async fn favorites_load(stage: &mut Stage, scene: &mut Scene) -> Told {
    scene.sent("Books asks for bookshelf 0 with the access token, then for each cover; all over the protected channel.");
    let covers = stage.desk().join("covers");
    let (books, covers) = stage
        .books
        .favorites(&covers)
        .await
        .or_otherwise("favourites")?;
    scene.allowed(format!(
        "{} favourites, {covers} covers: {}",
        books.len(),
        shortened(&books)
    ));
    expect(Holds(!books.is_empty() && covers == books.len()), || {
        format!("{} books, {covers} covers", books.len())
    })
}

async fn token_verifies(stage: &mut Stage, scene: &mut Scene) -> Told {
    let operator = &stage.operator;
    operator
        .types(scene, &format!("bonafide api add {OWN_API}"))
        .await?;
    scene.sent(format!(
        "Books attests itself and asks for a token for {OWN_API}."
    ));
    let api = Host::parse(OWN_API).or_otherwise("a host")?;
    let token = stage
        .books
        .attestation_token(&api)
        .await
        .or_otherwise("a token")?;
    let command = format!("bonafide token verify --audience {OWN_API}");
    let shown = "printf %s \"$BONAFIDE_TOKEN\"";
    let printed = operator
        .pipes(scene, (shown, token.expose()), &command)
        .await?;
    scene.why(
        "A JWT of five minutes for one audience, bound to the phone's key. Any JWT library checks it by the published \
         keys; this command asks the service instead. Its evidence is marked `development`, because this phone is virtual: an API for production refuses that.",
    );
    expect(Holds(printed.stdout.contains("development")), || {
        "the token does not say development".to_owned()
    })
}

fn shortened(titles: &[String]) -> String {
    const SHOWN: usize = 3;
    let first: Vec<&str> = titles.iter().take(SHOWN).map(String::as_str).collect();
    let rest = titles.len().saturating_sub(SHOWN);
    if rest == 0 {
        first.join("; ")
    } else {
        format!("{}; and {rest} more", first.join("; "))
    }
}
