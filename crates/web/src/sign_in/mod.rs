//! Signing in and out, and what a person proves themself with.

mod cookies;
mod factors;
mod invitations;
mod passkeys;
mod session;
mod welcome;

use utoipa_axum::router::OpenApiRouter;

use crate::Web;

pub fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new().merge(session::routes()).merge(factors::routes()).merge(passkeys::routes()).merge(welcome::routes()).merge(invitations::routes())
}
