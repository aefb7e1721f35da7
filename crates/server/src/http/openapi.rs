//! The description of both listeners (OpenAPI 3.1), generated from the routes; `GET /openapi.json` on the admin listener.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;
use bonafide_wire::problem::Problem;
use utoipa::PartialSchema as _;
use utoipa::ToSchema as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder};

use super::{State, admin, device};

/// The whole document.
pub fn document() -> OpenApi {
    let license = {
        let mut license = License::new("MIT OR Apache-2.0");
        license.identifier = Some("MIT OR Apache-2.0".to_owned());
        license
    };
    let info = InfoBuilder::new()
        .title("Bonafide")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Device side (`/v1/{account}`, public) and admin side (`/admin/v1`, private) of the service. Every failure \
             is a problem document (RFC 9457) with a stable `code`. `x-required-role` names the narrowest role of an \
             admin operation.",
        ))
        .license(Some(license))
        .build();
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(components()))
        .build();
    document.merge(device::routes().into_openapi());
    document.merge(admin::description());
    document
}

fn components() -> utoipa::openapi::Components {
    let bearer = |format: &str, description: &str| {
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format(format)
                .description(Some(description))
                .build(),
        )
    };
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    let mut components = ComponentsBuilder::new()
        .schema("Problem", Problem::schema())
        .build();
    components.schemas.extend(schemas);
    components.add_security_scheme(
        admin::SESSION_SCHEME,
        bearer(
            "bfs_…",
            "A role session, from `POST /admin/v1/sessions`; it ends after an hour.",
        ),
    );
    components.add_security_scheme(
        admin::CREDENTIAL_SCHEME,
        bearer(
            "bfc_…",
            "A management credential; good for opening sessions only.",
        ),
    );
    components
}

/// Serves it.
pub fn routes() -> Router<State> {
    Router::new().route("/openapi.json", get(serve))
}

async fn serve() -> impl IntoResponse {
    let media = HeaderValue::from_static("application/json");
    let body = document().to_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, media)], body)
}
