//! Programs that a user would run, such as kubectl.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Runs kubectl. Returns its output, or its error message.
pub async fn kubectl(args: &[&str]) -> Result<String, String> {
    run("kubectl", args, None).await
}

/// Runs kubectl with this text on its standard input, such as a manifest for `apply -f -`.
pub async fn kubectl_with_input(args: &[&str], input: &str) -> Result<String, String> {
    run("kubectl", args, Some(input)).await
}

/// Runs a program to its end. Returns its standard output, or both outputs when it failed.
pub async fn run(program: &str, args: &[&str], input: Option<&str>) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(text.as_bytes()).await.map_err(|error| format!("{program}: {error}"))?;
    }
    let output = child.wait_with_output().await.map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(format!(
            "{program} {}: {}\n{text}{}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
