//! What a container runs: its argument vector and its working directory.
//!
//! The table is Kubernetes' (`define-command-argument-container`, "Notes"):
//!
//! | `command` | `args` | what runs                         |
//! |-----------|--------|-----------------------------------|
//! | -         | -      | the image's Entrypoint, then Cmd  |
//! | -         | set    | the image's Entrypoint, then args |
//! | set       | -      | command alone                     |
//! | set       | set    | command, then args                |
//!
//! An empty list counts as not set.

use wasmpod_manifest::k8s::Container;

use crate::environment::expand;

/// The working directory when neither the container nor its image names one.
pub const DEFAULT_WORKING_DIR: &str = "/";

/// What of an image's config matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageProcess<'a> {
    /// `Entrypoint`
    pub entrypoint: &'a [String],
    /// `Cmd`
    pub cmd: &'a [String],
    /// `WorkingDir`, may be empty.
    pub working_dir: &'a str,
}

/// What to run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The argument vector; never empty.
    pub args: Vec<String>,
    /// An absolute path.
    pub working_dir: String,
}

/// Neither the container nor its image says what to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("container \"{container}\": no command specified")]
pub struct NoCommand {
    /// The container's name.
    pub container: String,
}

/// Combines a container with its image. `$(VAR)` in `command` and `args` (not in the image's own words) is replaced
/// from `env`, which is the container's environment without that of the image, as in the kubelet.
///
/// # Errors
/// [`NoCommand`].
pub fn resolve(
    container: &Container,
    image: ImageProcess<'_>,
    env: &[(String, String)],
) -> Result<Process, NoCommand> {
    let expanded = |words: &[String]| -> Vec<String> {
        words
            .iter()
            .map(|word| expand::expand(word, |name| expand::lookup(env, name)))
            .collect()
    };
    let command = container.command.as_deref().unwrap_or_default();
    let own_args = container.args.as_deref().unwrap_or_default();
    let (mut args, tail) = match (command.is_empty(), own_args.is_empty()) {
        (true, true) => (image.entrypoint.to_vec(), image.cmd.to_vec()),
        (true, false) => (image.entrypoint.to_vec(), expanded(own_args)),
        (false, _) => (expanded(command), expanded(own_args)),
    };
    args.extend(tail);
    if args.is_empty() {
        return Err(NoCommand {
            container: container.name.clone(),
        });
    }
    let working_dir = [
        container.working_dir.as_deref().unwrap_or_default(),
        image.working_dir,
    ]
    .into_iter()
    .find(|dir| !dir.is_empty())
    .unwrap_or(DEFAULT_WORKING_DIR);
    Ok(Process {
        args,
        working_dir: working_dir.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// The example table of the Kubernetes documentation.
    #[test]
    fn command_and_args_replace_entrypoint_and_cmd_as_the_table_says() {
        for (command, args, expected) in [
            ("", "", "/ep-1 foo bar"),
            ("/ep-2", "", "/ep-2"),
            ("", "zoo boo", "/ep-1 zoo boo"),
            ("/ep-2", "zoo boo", "/ep-2 zoo boo"),
        ] {
            let container = Container {
                command: Some(words(command)),
                args: Some(words(args)),
                ..Container::default()
            };
            let (entrypoint, cmd) = (words("/ep-1"), words("foo bar"));
            let image = ImageProcess {
                entrypoint: &entrypoint,
                cmd: &cmd,
                working_dir: "",
            };
            let process = resolve(&container, image, &[]).unwrap();
            assert_eq!(
                process.args,
                words(expected),
                "command {command:?}, args {args:?}"
            );
            assert_eq!(process.working_dir, "/");
        }
    }

    #[test]
    fn variables_are_replaced_in_the_containers_words_but_not_in_the_images() {
        let env = [("A".to_owned(), "one two".to_owned())];
        let container = Container {
            args: Some(words("$(A) $$(A) $(B)")),
            ..Container::default()
        };
        let entrypoint = words("$(A)");
        let image = ImageProcess {
            entrypoint: &entrypoint,
            ..ImageProcess::default()
        };
        let process = resolve(&container, image, &env).unwrap();
        assert_eq!(process.args, ["$(A)", "one two", "$(A)", "$(B)"]);
    }

    #[test]
    fn the_containers_working_dir_wins_over_the_images() {
        let cmd = words("run");
        let image = ImageProcess {
            cmd: &cmd,
            working_dir: "/srv",
            ..ImageProcess::default()
        };
        let mut container = Container::default();
        assert_eq!(resolve(&container, image, &[]).unwrap().working_dir, "/srv");
        container.working_dir = Some("/app".to_owned());
        assert_eq!(resolve(&container, image, &[]).unwrap().working_dir, "/app");
    }

    #[test]
    fn nothing_to_run_is_an_error_that_names_the_container() {
        let container = Container {
            name: "web".to_owned(),
            ..Container::default()
        };
        let error = resolve(&container, ImageProcess::default(), &[]).unwrap_err();
        assert_eq!(error.to_string(), "container \"web\": no command specified");
    }
}
