//! The revocation list as operators see it. It is the service's, not an account's: what an account does with it
//! and with its age, its policy says.

use bonafide_wire::admin::RevocationListView;

use crate::app::{AppError, Service};

/// The list in force.
pub fn read(service: &Service) -> RevocationListView {
    service.revocation_list().view(service.now())
}

/// Asks for a newer one now, and tells how that went.
pub async fn refresh(service: &Service) -> Result<RevocationListView, AppError> {
    if service.revocation_list().refresh().await {
        Ok(read(service))
    } else {
        let why = "the service was started without a revocation list";
        Err(AppError::Conflict(why.to_owned()))
    }
}
