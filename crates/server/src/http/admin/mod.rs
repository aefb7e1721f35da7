//! The admin routes (`/admin/v1`): one table says for each who may use it.
//!
//! A route comes into being only through [`Table::route`], which demands its [`Access`]: there is no way to add one
//! that nobody guards. The same table writes `x-required-role` into the OpenAPI document and the roles page.

mod accounts;
mod apis;
mod apps;
mod audit;
mod credentials;
mod devices;
mod extract;
mod gate;
mod play_keys;
mod policy;
mod registrations;
mod revocation_list;
mod roles;
mod secrets;
mod sessions;
mod table;
mod trust;
mod upstreams;

use bonafide_wire::admin::Role;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use gate::Access;
use table::Table;

pub use roles::page as roles_page;
pub(super) use table::{CREDENTIAL as CREDENTIAL_SCHEME, SESSION as SESSION_SCHEME};

/// The guarded routes and their description.
pub fn routes(service: &State) -> OpenApiRouter<State> {
    table().into_router(service)
}

/// Their description alone.
pub fn description() -> OpenApi {
    table().into_description()
}

/// Who may do what: the one place.
fn table() -> Table {
    let table = app_table(service_table(Table::default()));
    trust_table(devices_table(upstreams_table(access_table(table))))
}

/// What concerns the service as a whole.
fn service_table(table: Table) -> Table {
    const ANYONE: Access = Access::Session(Role::Viewer);
    const SERVICE_ADMIN: Access = Access::ServiceWide(Role::Admin);
    const SERVICE_AUDITOR: Access = Access::ServiceWide(Role::Auditor);
    table
        .route(Access::Credential, routes!(sessions::open))
        .route(ANYONE, routes!(sessions::close))
        .route(ANYONE, routes!(sessions::whoami))
        .route(ANYONE, routes!(accounts::list))
        .route(SERVICE_ADMIN, routes!(accounts::create))
        .route(SERVICE_ADMIN, routes!(credentials::list_service))
        .route(SERVICE_ADMIN, routes!(credentials::create_service))
        .route(SERVICE_ADMIN, routes!(credentials::remove_service))
        .route(SERVICE_AUDITOR, routes!(audit::list_service))
        .route(SERVICE_AUDITOR, routes!(audit::verify))
        .route(ANYONE, routes!(revocation_list::read))
        .route(SERVICE_ADMIN, routes!(revocation_list::refresh))
}

const VIEWER: Access = Access::Account(Role::Viewer);
const DEVELOPER: Access = Access::Account(Role::Developer);
const AUDITOR: Access = Access::Account(Role::Auditor);
const ADMIN: Access = Access::Account(Role::Admin);

/// Apps, and what counts as one.
fn app_table(table: Table) -> Table {
    table
        .route(VIEWER, routes!(accounts::read))
        .route(VIEWER, routes!(apps::list))
        .route(DEVELOPER, routes!(apps::create))
        .route(VIEWER, routes!(apps::read))
        .route(DEVELOPER, routes!(apps::remove))
        .route(VIEWER, routes!(registrations::list))
        .route(DEVELOPER, routes!(registrations::create))
        .route(VIEWER, routes!(registrations::read))
        .route(DEVELOPER, routes!(registrations::remove))
}

/// What apps reach, what they get, by which policy; and who manages that.
fn access_table(table: Table) -> Table {
    table
        .route(VIEWER, routes!(apis::list))
        .route(VIEWER, routes!(apis::read))
        .route(ADMIN, routes!(apis::put))
        .route(ADMIN, routes!(apis::remove))
        .route(VIEWER, routes!(secrets::list))
        .route(VIEWER, routes!(secrets::read))
        .route(ADMIN, routes!(secrets::put))
        .route(ADMIN, routes!(secrets::remove))
        .route(VIEWER, routes!(policy::read))
        .route(ADMIN, routes!(policy::put))
        .route(ADMIN, routes!(credentials::list))
        .route(ADMIN, routes!(credentials::create))
        .route(ADMIN, routes!(credentials::remove))
        .route(AUDITOR, routes!(audit::list))
}

/// Where apps log in.
fn upstreams_table(table: Table) -> Table {
    table
        .route(VIEWER, routes!(upstreams::list))
        .route(VIEWER, routes!(upstreams::read))
        .route(ADMIN, routes!(upstreams::put))
        .route(ADMIN, routes!(upstreams::remove))
        .route(ADMIN, routes!(upstreams::check))
}

/// Devices, and what was decided about them.
fn devices_table(table: Table) -> Table {
    table
        .route(VIEWER, routes!(devices::list))
        .route(VIEWER, routes!(devices::read))
        .route(ADMIN, routes!(devices::revoke))
        .route(ADMIN, routes!(devices::reinstate))
        .route(VIEWER, routes!(devices::refused))
        .route(VIEWER, routes!(devices::overrides))
        .route(VIEWER, routes!(devices::read_override))
        .route(DEVELOPER, routes!(devices::put_override))
        .route(DEVELOPER, routes!(devices::remove_override))
        .route(VIEWER, routes!(devices::verdicts))
        .route(VIEWER, routes!(devices::read_verdict))
}

/// What apps are told to trust, and what evidence is trusted.
fn trust_table(table: Table) -> Table {
    table
        .route(VIEWER, routes!(trust::managed_roots))
        .route(ADMIN, routes!(trust::put_managed_roots))
        .route(VIEWER, routes!(trust::roots))
        .route(ADMIN, routes!(trust::put_root))
        .route(ADMIN, routes!(trust::remove_root))
        .route(VIEWER, routes!(trust::anchors))
        .route(ADMIN, routes!(trust::put_anchor))
        .route(ADMIN, routes!(trust::remove_anchor))
        .route(VIEWER, routes!(play_keys::list))
        .route(ADMIN, routes!(play_keys::put))
        .route(ADMIN, routes!(play_keys::remove))
        .route(VIEWER, routes!(trust::signing_keys))
        .route(ADMIN, routes!(trust::rotate_signing_key))
        .route(VIEWER, routes!(trust::sdk_config))
}
