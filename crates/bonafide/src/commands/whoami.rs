//! `bonafide whoami`: who this session is, what it may do and until when.

use bonafide_wire::admin::{Role, WhoAmI};

use crate::client::Route;
use crate::context::Context;
use crate::error::{Exit, Failure};
use crate::render::{Table, moment, or_dash};

/// Asks the service.
pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
    let client = context.client(Role::Viewer).await?;
    let me: WhoAmI = client.get(&Route::service(["whoami"])).await?;
    context.console.data(&me, |me| {
        Table::object()
            .member("credential", &me.name)
            .member("role", me.role.as_str())
            .member("account", or_dash(me.account.as_ref()))
            .member("session ends", moment(me.expires_at))
    })?;
    Ok(Exit::Done)
}
