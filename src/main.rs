//! Entry point of the operator.
fn main() {
    println!("{}", serde_json::to_string_pretty(&chatcluster::api::crd()).unwrap());
}
