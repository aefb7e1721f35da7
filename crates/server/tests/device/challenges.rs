//! W-4.

use bonafide_wire::device::{ChallengePurpose, ChallengeReply};

use crate::world::{NOW, World, read};

#[tokio::test]
async fn a_challenge_lives_two_minutes_and_is_fresh() {
    let world = World::new().await;
    let body = serde_json::json!({ "purpose": "enrolment" });
    let response = world.post("challenges", &body).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let reply: ChallengeReply = read(response).await;
    assert_eq!((reply.server_time, reply.expires_at), (NOW, NOW + 120));
    assert!(reply.challenge.as_slice().len() <= 64);
    let other = world.challenge(ChallengePurpose::Enrolment).await;
    assert_ne!(other, reply.challenge);
}
