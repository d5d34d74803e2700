// A build script that would run while the grader compiles. It must not be built; if it is, it leaves an empty file.
fn main() {
    let _ = std::fs::write("/tmp/LEAK-of-a-build-script", "");
}
