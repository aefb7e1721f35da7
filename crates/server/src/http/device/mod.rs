//! The device routes (`/v1/{account}`): public, unauthenticated, every byte foreign.

use utoipa_axum::router::OpenApiRouter;

use super::State;

/// All of them, with their description.
pub fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
}
