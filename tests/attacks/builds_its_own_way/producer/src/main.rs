mod secrets;

fn main() {
    println!("{}", secrets::SECRETS);
}
