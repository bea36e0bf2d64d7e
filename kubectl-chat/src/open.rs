//! `kubectl chat open`: prints a URL of the chat that works from here, and opens it in a browser.

use std::process::Stdio;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::forward::{Door, ready_hubs};
use crate::model::Chat;
use crate::text::print;

/// The longest wait for the public address; after it, a port is forwarded instead.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first local port to try.
const FIRST: u16 = 8080;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster
    name: String,
    /// The local port of a port-forward [default: 8080, or the next free port]
    #[arg(long)]
    port: Option<u16>,
    /// Print the URL, and open no browser
    #[arg(long)]
    no_browser: bool,
    /// Forward a port, even if the public address answers from here
    #[arg(long)]
    forward: bool,
}

pub(crate) async fn run(options: &Options, cluster: &Cluster) -> Result<(), Fault> {
    let chat = cluster.chat(&options.name).await?;
    if !options.forward && options.port.is_none() {
        if let Some(address) = public(&chat).await {
            let url = format!("http://{address}/");
            print(&format!("{url}\n"));
            browse(options, &url);
            return Ok(());
        }
        eprintln!("the public address does not answer from here: a port of this machine is forwarded");
    }
    if ready_hubs(cluster, &options.name).await?.is_empty() {
        let name = &options.name;
        return Err(Fault::No(format!("no hub of {name} is ready; see: kubectl chat status {name}")));
    }
    let listener = listen(options.port).await?;
    let port = listener.local_addr().map_err(|e| Fault::failed("listen", e))?.port();
    let url = format!("http://127.0.0.1:{port}/");
    print(&format!("{url}\n"));
    eprintln!("leads to the hubs of {} until you press Ctrl-C", options.name);
    browse(options, &url);
    let door = Door {
        cluster: cluster.clone(),
        name: options.name.clone(),
        hub_port: chat.spec.hub.port,
        turn: AtomicUsize::new(0),
    };
    let door: &'static Door = Box::leak(Box::new(door)); // one, until the process ends
    tokio::select! {
        fault = door.serve(listener) => Err(fault),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// The public address, if it answers from here.
async fn public(chat: &Chat) -> Option<String> {
    let address = chat.status.as_ref()?.address.clone()?;
    let at = dialled(&address)?;
    timeout(PATIENCE, TcpStream::connect(at)).await.ok()?.ok()?;
    Some(address)
}

/// The address with its port; `None` for a pattern, such as that of a `NodePort`.
fn dialled(address: &str) -> Option<String> {
    if address.starts_with('<') {
        return None;
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { address.to_owned() } else { format!("{address}:80") })
}

async fn listen(port: Option<u16>) -> Result<TcpListener, Fault> {
    if let Some(port) = port {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        return listener
            .map_err(|e| Fault::Refused(format!("port {port} of this machine: {e}; choose another --port")));
    }
    for port in FIRST..FIRST + 100 {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return Ok(listener);
        }
    }
    Err(Fault::Refused("no port from 8080 to 8179 is free: choose one with --port".to_owned()))
}

/// Opens a browser if there is a display; without one, the printed URL has to do.
fn browse(options: &Options, url: &str) {
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    let program = match std::env::consts::OS {
        "macos" => "open",
        _ if display => "xdg-open",
        _ => return,
    };
    if !options.no_browser {
        let quiet = || (Stdio::null(), Stdio::null());
        let (out, err) = quiet();
        let _ = Command::new(program).arg(url).stdin(Stdio::null()).stdout(out).stderr(err).spawn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dialled_at_its_port_or_at_80() {
        assert_eq!(dialled("203.0.113.7").as_deref(), Some("203.0.113.7:80"));
        assert_eq!(dialled("203.0.113.7:8443").as_deref(), Some("203.0.113.7:8443"));
        assert_eq!(dialled("[2001:db8::1]").as_deref(), Some("[2001:db8::1]:80"));
        assert_eq!(dialled("<node>:30080"), None);
    }

    #[tokio::test]
    async fn a_port_that_was_asked_for_and_is_taken_is_said() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();

        assert!(listen(Some(port)).await.unwrap_err().to_string().contains("choose another --port"));
        assert_ne!(listen(None).await.unwrap().local_addr().unwrap().port(), port);
    }
}
