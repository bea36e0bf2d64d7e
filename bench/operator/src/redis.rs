//! A stand-in for Redis at the address of every pod: it takes any password, and reports that the hubs of that
//! very cluster are subscribed. With it, clusters become `Ready` without a container.

use crate::pods::Pods;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PORT: u16 = 6379;

/// Answers until the process ends, on every address that a route of type `local` leads here.
pub(crate) async fn serve(pods: Pods) -> Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await.context("the port of Redis")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that closes the connection has its answer, or no longer wants it.
            tokio::spawn(answer(stream, pods.clone()));
        }
    });
    Ok(())
}

async fn answer(mut stream: TcpStream, pods: Pods) -> Result<()> {
    let address = stream.local_addr()?.ip();
    let mut received = Vec::new();
    loop {
        while let Some((command, length)) = command(&received) {
            received.drain(..length);
            let is_list = command.first().is_some_and(|word| word.eq_ignore_ascii_case("CLIENT"))
                && command.get(1).is_some_and(|word| word.eq_ignore_ascii_case("LIST"));
            let reply = match command.first().map(|word| word.to_ascii_uppercase()).as_deref() {
                Some("PING") => "+PONG\r\n".to_owned(),
                _ if is_list => bulk(&list(&pods.hubs_at(address))),
                _ => "+OK\r\n".to_owned(),
            };
            stream.write_all(reply.as_bytes()).await?;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
}

/// The answer to CLIENT LIST.
fn list(hubs: &[(String, IpAddr)]) -> String {
    let mut lines = String::new();
    for (id, (name, address)) in hubs.iter().enumerate() {
        let _ = writeln!(
            lines,
            "id={id} addr={address}:40000 name={name} db=0 sub=1 psub=0 ssub=0 cmd=subscribe user=default"
        );
    }
    lines
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The first complete command, and the number of its bytes: an array of bulk strings
/// (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    let number = |mark: u8, at: &mut usize| -> Option<usize> {
        let line = bytes.get(*at..)?;
        let end = line.windows(2).position(|pair| pair == b"\r\n")?;
        let number = std::str::from_utf8(line[..end].strip_prefix(&[mark])?).ok()?.parse().ok()?;
        *at += end + 2;
        Some(number)
    };
    let mut words = Vec::new();
    for _ in 0..number(b'*', &mut at)? {
        let length = number(b'$', &mut at)?;
        words.push(String::from_utf8_lossy(bytes.get(at..at + length)?).into_owned());
        at += length + 2;
    }
    (at <= bytes.len()).then_some((words, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_once_it_is_whole() {
        let bytes = b"*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n*1\r\n$4\r\nPING\r\n";

        let (words, length) = command(bytes).unwrap();

        assert_eq!((words, length), (vec!["CLIENT".to_owned(), "LIST".to_owned()], 26));
        assert_eq!(command(&bytes[26..]).unwrap().0, ["PING"]);
        assert!((0..26).all(|cut| command(&bytes[..cut]).is_none()));
    }

    #[test]
    fn each_hub_is_a_subscriber() {
        let hubs = [("lobby-hub-a".to_owned(), "198.19.0.8".parse().unwrap())];

        let line = list(&hubs);

        assert!(line.contains(" name=lobby-hub-a ") && line.contains("addr=198.19.0.8:"), "{line}");
        assert_eq!(bulk("ab\n"), "$3\r\nab\n\r\n");
    }
}
