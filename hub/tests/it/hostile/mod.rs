//! What no client would send: each gets a clear end, and the hub goes on for everyone else.

mod frames;
mod http;
mod records;
mod slow;

use crate::support::{HubProcess, RawClient};

/// Two who chat while others misbehave.
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

    /// They still hear each other, on a hub that is whole.
    async fn go_on(&mut self, hub: &HubProcess) {
        self.said += 1;
        let text = format!("said {}", self.said);
        let send = "{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",";
        self.ada.write(&format!("{send}\"{text}\"]}}\x1e")).await;
        for hears in [&mut self.ada, &mut self.grace] {
            loop {
                let record = hears.record().await;
                // Others may have called something on everyone.
                if record.contains("\"target\":\"message\"") {
                    assert!(record.contains(&format!("\"text\":\"{text}\"")), "{record}");
                    break;
                }
            }
        }
        hub.has_not_panicked();
    }
}
