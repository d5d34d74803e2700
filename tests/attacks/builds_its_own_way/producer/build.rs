fn main() {
    let _ = std::fs::write("/tmp/LEAK-of-a-build-script", "");
}
