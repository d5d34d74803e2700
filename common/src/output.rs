//! When nobody reads the output any more.

/// The exit status of a program that SIGPIPE ends, as a shell reports it.
const BROKEN_PIPE: i32 = 141;

/// From now on the program ends when whoever reads its output goes away (`… | head`), without a word, as Unix programs do.
///
/// `println!` panics then. Unwinding would close the client, whose callbacks print again.
pub fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let broken_pipe = panic
            .payload_as_str()
            .is_some_and(|message| message.contains("Broken pipe"));
        if broken_pipe {
            std::process::exit(BROKEN_PIPE);
        }
        usual(panic);
    }));
}
