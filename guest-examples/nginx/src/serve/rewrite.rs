//! Runs `set`, `return`, `rewrite`, `break` and `if`, and `try_files`.

use std::rc::Rc;

use http_loop::request::Request;
use http_loop::service::Context;

use super::files::Found;
use super::state::{State, go_to};
use super::{Server, Verdict, route};
use crate::config::model::{Condition, Fallback, RewriteFlag, Rule};
use crate::config::template::Template;

/// What became of a request.
pub(super) enum Rewritten {
    /// It goes on here.
    On,
    /// Its location is to be searched again.
    Again,
    /// It is decided.
    Verdict(Verdict),
}

/// How the rules of one block ended.
enum Flow {
    Next,
    Stop,
    Again,
    Verdict(Verdict),
}

impl Server {
    pub(super) fn rewrite(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
        rules: &[Rule],
    ) -> Rewritten {
        let before = state.uri.clone();
        match self.run(context, request, state, rules) {
            Flow::Verdict(verdict) => Rewritten::Verdict(verdict),
            Flow::Again => Rewritten::Again,
            Flow::Stop => Rewritten::On,
            Flow::Next if state.uri != before => Rewritten::Again,
            Flow::Next => Rewritten::On,
        }
    }

    fn run(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
        rules: &[Rule],
    ) -> Flow {
        for rule in rules {
            let flow = match rule {
                Rule::Set(number, value) => {
                    let value =
                        value.value(&self.view(context, Some(request), request.line, state));
                    if let Some(slot) = state.set.get_mut(*number) {
                        *slot = value;
                    }
                    Flow::Next
                }
                Rule::Break => Flow::Stop,
                Rule::Return(status, text) => {
                    Flow::Verdict(self.returned(context, request, state, *status, text.as_ref()))
                }
                Rule::Rewrite(pattern, replacement, flag) => {
                    let path = String::from_utf8_lossy(&state.uri).into_owned();
                    match route::captures(pattern, &path) {
                        None => Flow::Next,
                        Some(captures) => {
                            state.captures = captures;
                            let target = replacement.value(&self.view(
                                context,
                                Some(request),
                                request.line,
                                state,
                            ));
                            rewritten(state, &target, *flag)
                        }
                    }
                }
                Rule::If(condition, rules) => {
                    if self.holds(context, request, state, condition) {
                        self.run(context, request, state, rules)
                    } else {
                        Flow::Next
                    }
                }
            };
            match flow {
                Flow::Next => {}
                other => return other,
            }
        }
        Flow::Next
    }

    fn returned(
        &self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &State,
        status: u16,
        text: Option<&Template>,
    ) -> Verdict {
        let text =
            text.map(|text| text.value(&self.view(context, Some(request), request.line, state)));
        match (status, text) {
            (444, _) => Verdict::Hangup,
            (301 | 302 | 303 | 307 | 308, Some(location)) => Verdict::Redirect(status, location),
            (status, None) => Verdict::Status(status),
            (status, Some(text)) => Verdict::Text(status, None, text),
        }
    }

    fn holds(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
        condition: &Condition,
    ) -> bool {
        let value = |template: &Template, state: &State| {
            template.value(&self.view(context, Some(request), request.line, state))
        };
        match condition {
            Condition::True(left) => !matches!(value(left, state).as_slice(), b"" | b"0"),
            Condition::Equal(left, right, negated) => {
                (value(left, state) == value(right, state)) != *negated
            }
            Condition::Match(left, pattern, negated) => {
                let text = value(left, state);
                match route::captures(pattern, &String::from_utf8_lossy(&text)) {
                    Some(captures) => {
                        state.captures = captures;
                        !negated
                    }
                    None => *negated,
                }
            }
            Condition::File(kind, path, negated) => {
                let path = value(path, state);
                let path = String::from_utf8_lossy(&path);
                let found = self.files.find(&path, context.clock.now());
                let holds = match kind {
                    'f' => matches!(found, Found::File(_)),
                    'd' => matches!(found, Found::Directory),
                    _ => !matches!(found, Found::Missing),
                };
                holds != *negated
            }
        }
    }

    pub(super) fn try_files(
        &mut self,
        context: &Context<'_>,
        request: &Request<'_>,
        state: &mut State,
        try_files: &(Vec<Template>, Fallback),
    ) -> Rewritten {
        let (candidates, fallback) = try_files;
        for candidate in candidates {
            let path = candidate.value(&self.view(context, Some(request), request.line, state));
            let Some(mut path) = super::uri::normalize(&path) else {
                continue;
            };
            let wants_directory = path.len() > 1 && path.ends_with(b"/");
            std::mem::swap(&mut state.uri, &mut path);
            let mut file = Vec::new();
            self.view(context, Some(request), request.line, state)
                .filename(&mut file);
            let file = String::from_utf8_lossy(&file).into_owned();
            let found = self
                .files
                .find(file.trim_end_matches('/'), context.clock.now());
            match found {
                Found::File(_) if !wants_directory => return Rewritten::On,
                Found::Directory if wants_directory => return Rewritten::On,
                _ => std::mem::swap(&mut state.uri, &mut path),
            }
        }
        match fallback {
            Fallback::Status(status) => Rewritten::Verdict(Verdict::Status(*status)),
            Fallback::Named(name) => {
                let base = state
                    .generation
                    .config
                    .servers
                    .get(state.server)
                    .map(|server| Rc::clone(&server.base));
                match base.and_then(|base| route::named(&base, name)) {
                    Some(location) => {
                        state.location = location;
                        state.redirects += 1;
                        if state.redirects > super::MAX_REDIRECTS {
                            return Rewritten::Verdict(Verdict::Status(500));
                        }
                        self.visit(context, request, state)
                    }
                    None => Rewritten::Verdict(Verdict::Status(500)),
                }
            }
            Fallback::Uri(target) => {
                let target = target.value(&self.view(context, Some(request), request.line, state));
                go_to(state, &target, true);
                Rewritten::Again
            }
        }
    }
}

fn rewritten(state: &mut State, target: &[u8], flag: RewriteFlag) -> Flow {
    let is_url = target.starts_with(b"http://")
        || target.starts_with(b"https://")
        || target.starts_with(b"$scheme");
    let status = match flag {
        RewriteFlag::Permanent => Some(301),
        RewriteFlag::Redirect => Some(302),
        _ if is_url => Some(302),
        _ => None,
    };
    if let Some(status) = status {
        let mut location = target.to_vec();
        if location.last() == Some(&b'?') {
            location.pop();
        } else if !state.args.is_empty() {
            location.push(if location.contains(&b'?') { b'&' } else { b'?' });
            location.extend_from_slice(&state.args);
        }
        return Flow::Verdict(Verdict::Redirect(status, location));
    }
    go_to(state, target, true);
    match flag {
        RewriteFlag::Last => Flow::Again,
        RewriteFlag::Break => Flow::Stop,
        _ => Flow::Next,
    }
}
