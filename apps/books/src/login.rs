//! Login: the SDK begins it, the reader agrees in the browser, the SDK finishes it.
//!
//! What proves the app is the SDK's affair; here it is only told. A login that a former process began is gone on with.

use std::fmt;
use std::time::Duration;

use bonafide_oauth::OAuthError;
use bonafide_sdk::adaptor::{Choice, LoginError, LoginStage, OAuthSession, Standing, Url};

use crate::browser::Browser;
use crate::error::Trouble;
use crate::loopback::Loopback;

/// How far a login has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// Fetching the provider's metadata, and choosing how to prove the app.
    Discovering,
    /// Waiting for the reader in the browser.
    Authorizing,
    /// Asking the service for what proves that this is Books.
    FetchingSecret,
    /// Trading the code for tokens.
    Exchanging,
    /// Verifying who logged in.
    Verifying,
}

impl fmt::Display for LoginStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Discovering => "discovering the provider's configuration",
            Self::Authorizing => "asking for your authorization in the browser",
            Self::FetchingSecret => "verifying this app",
            Self::Exchanging => "exchanging the code",
            Self::Verifying => "verifying who logged in",
        })
    }
}

impl From<LoginStage> for LoginStep {
    fn from(stage: LoginStage) -> Self {
        match stage {
            LoginStage::Discovering => Self::Discovering,
            LoginStage::Proving => Self::FetchingSecret,
            LoginStage::Exchanging => Self::Exchanging,
            LoginStage::Verifying => Self::Verifying,
        }
    }
}

/// How long the browser of a former process is waited for.
const GRACE: Duration = Duration::from_secs(20);

/// Who is told.
pub(crate) type Told<'a> = &'a mut (dyn FnMut(LoginStep) + Send);

/// Logs in, from the beginning or from where a former process left it; the rung that was used.
pub(crate) async fn run(
    session: &OAuthSession,
    (browser, patience): (&dyn Browser, Duration),
    told: Told<'_>,
) -> Result<Option<Choice>, Trouble> {
    match session.standing().await? {
        Standing::LoggedIn => {}
        Standing::AwaitingTokens => {
            let completed = session
                .complete_telling(&mut |stage| told(stage.into()))
                .await;
            match completed {
                Ok(_) => {}
                // The code has grown too old meanwhile: ask again.
                Err(LoginError::OAuth(OAuthError::Token(_))) => {
                    begin(session, (browser, patience), told).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Standing::AwaitingBrowser { redirect_uri } => {
            match Loopback::at(&redirect_uri).await {
                // The browser may still be open: it comes back to the same place.
                Ok(loopback) => go_on(session, loopback, (browser, patience), told).await?,
                Err(_) => begin(session, (browser, patience), told).await?,
            }
        }
        Standing::LoggedOut => begin(session, (browser, patience), told).await?,
    }
    Ok(session.choice().await?)
}

async fn begin(
    session: &OAuthSession,
    (browser, patience): (&dyn Browser, Duration),
    told: Told<'_>,
) -> Result<(), Trouble> {
    told(LoginStep::Discovering);
    let loopback = Loopback::listen().await.map_err(Trouble::Storage)?;
    let begun = session.begin(loopback.redirect_uri().as_str()).await?;
    told(LoginStep::Authorizing);
    let opened = Some((browser, &begun.url));
    finish(session, loopback, (opened, patience), told).await
}

/// Waits for the browser of a former process; when it does not come, a new one is sent.
async fn go_on(
    session: &OAuthSession,
    loopback: Loopback,
    (browser, patience): (&dyn Browser, Duration),
    told: Told<'_>,
) -> Result<(), Trouble> {
    told(LoginStep::Authorizing);
    let waited = finish(session, loopback, (None, GRACE.min(patience)), told).await;
    match waited {
        Err(Trouble::BrowserTimedOut) => begin(session, (browser, patience), told).await,
        outcome => outcome,
    }
}

async fn finish(
    session: &OAuthSession,
    loopback: Loopback,
    (opened, patience): (Option<(&dyn Browser, &Url)>, Duration),
    told: Told<'_>,
) -> Result<(), Trouble> {
    let opened = async {
        if let Some((browser, url)) = opened {
            browser.open(url).await.map_err(Trouble::Browser)?;
        }
        // Shown; the answer arrives at the listener.
        std::future::pending::<Result<(), Trouble>>().await
    };
    let answered = async {
        let answer = loopback.answer(session).await.map_err(Trouble::Storage)?;
        answer.map_err(Trouble::from)
    };
    tokio::select! {
        answer = answered => answer?,
        failed = opened => failed?,
        () = tokio::time::sleep(patience) => return Err(Trouble::BrowserTimedOut),
    }
    session
        .complete_telling(&mut |stage| told(stage.into()))
        .await?;
    Ok(())
}
