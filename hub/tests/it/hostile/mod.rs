//! Input that no proper client would send: its sender is disconnected with a reason, and the others notice
//! nothing.

mod frames;
mod http;
mod records;
mod slow;

use crate::support::{HubProcess, RawClient};

/// Two clients who chat while others misbehave.
struct Bystanders {
    ada: RawClient,
    grace: RawClient,
    said: u32,
}

impl Bystanders {
    async fn of(hub: &HubProcess) -> Self {
        let ada = RawClient::join(hub.address(), "lobby").await;
        let grace = RawClient::join(hub.address(), "lobby").await;
        Self { ada, grace, said: 0 }
    }

    /// Asserts that they still hear each other, and that the hub has not panicked.
    async fn go_on(&mut self, hub: &HubProcess) {
        self.said += 1;
        let text = format!("said {}", self.said);
        let send = "{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",";
        self.ada.write(&format!("{send}\"{text}\"]}}\x1e")).await;
        for hears in [&mut self.ada, &mut self.grace] {
            loop {
                let record = hears.record().await;
                // Broadcasts of others may come first.
                if record.contains("\"target\":\"message\"") {
                    assert!(record.contains(&format!("\"text\":\"{text}\"")), "{record}");
                    break;
                }
            }
        }
        hub.has_not_panicked();
    }
}
