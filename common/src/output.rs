//! Ending quietly when nobody reads the output any more.

/// The exit status that a shell reports for a program that SIGPIPE has ended.
const BROKEN_PIPE: i32 = 141;

/// Makes the program end without a message when the reader of its output goes away (`… | head`), as Unix programs do.
///
/// Without this, `println!` would panic. The panic would then close the client, whose callbacks print again.
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
