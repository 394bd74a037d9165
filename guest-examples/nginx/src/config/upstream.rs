//! `upstream` and `proxy_pass`.

use std::net::{IpAddr, SocketAddr};

use http_loop::clock::{Instant, SECOND};

use super::build::{Builder, number};
use super::error::ConfigError;
use super::model::{Matcher, Peer, ProxyPass, Upstream};
use super::tree::Node;
use super::value;

/// nginx's default of `fail_timeout`.
const FAIL_TIMEOUT: Instant = 10 * SECOND;

fn peers(
    host_and_port: &str,
    resolve: &dyn Fn(&str) -> Vec<IpAddr>,
    node: &Node,
) -> Result<Vec<Peer>, ConfigError> {
    let Some((host, port)) = value::host_and_port(host_and_port) else {
        return Err(ConfigError::at(
            &node.place,
            format!("invalid port in upstream \"{host_and_port}\""),
        ));
    };
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => resolve(host),
    };
    if addresses.is_empty() {
        return Err(ConfigError::at(
            &node.place,
            format!("host not found in upstream \"{host_and_port}\""),
        ));
    }
    let peer = |address| Peer {
        address: SocketAddr::new(address, port),
        weight: 1,
        backup: false,
        down: false,
        max_fails: 1,
        fail_timeout: FAIL_TIMEOUT,
    };
    Ok(addresses.into_iter().map(peer).collect())
}

/// One `upstream` block.
pub(super) fn upstream(
    node: &Node,
    resolve: &dyn Fn(&str) -> Vec<IpAddr>,
) -> Result<Upstream, ConfigError> {
    let name = node.args.first().cloned().unwrap_or_default();
    let mut upstream = Upstream {
        name,
        ..Upstream::default()
    };
    for child in &node.children {
        match child.name.as_str() {
            "server" => {
                let address = child.args.first().map(String::as_str).unwrap_or_default();
                if address.starts_with("unix:") {
                    let message =
                        format!("Unix domain sockets are not supported here: \"{address}\"");
                    return Err(ConfigError::at(&child.place, message));
                }
                let mut found = peers(address, resolve, child)?;
                for option in child.args.iter().skip(1) {
                    for peer in &mut found {
                        set_option(peer, option).ok_or_else(|| {
                            ConfigError::at(&child.place, format!("invalid parameter \"{option}\""))
                        })?;
                    }
                }
                upstream.peers.append(&mut found);
            }
            "least_conn" => upstream.least_conn = true,
            "keepalive" => upstream.keepalive = number(child)?,
            _ => {}
        }
    }
    if upstream.peers.iter().all(|peer| peer.backup) {
        return Err(ConfigError::at(
            &node.place,
            "no servers are inside upstream",
        ));
    }
    Ok(upstream)
}

fn set_option(peer: &mut Peer, option: &str) -> Option<()> {
    match option.split_once('=') {
        None if option == "backup" => peer.backup = true,
        None if option == "down" => peer.down = true,
        Some(("weight", value)) => peer.weight = value.parse().ok().filter(|weight| *weight > 0)?,
        Some(("max_fails", value)) => peer.max_fails = value.parse().ok()?,
        Some(("fail_timeout", value)) => peer.fail_timeout = value::time(value)?,
        // No more connections than the clients' are ever made.
        Some(("max_conns", value)) => drop(value.parse::<u32>().ok()?),
        _ => return None,
    }
    Some(())
}

/// One `proxy_pass`; a host that no `upstream` names becomes an upstream of its own.
pub(super) fn proxy_pass(
    builder: &mut Builder<'_>,
    node: &Node,
    matcher: &Matcher,
) -> Result<ProxyPass, ConfigError> {
    let error = |message: &str| Err(ConfigError::at(&node.place, message));
    let url = node.args.first().map(String::as_str).unwrap_or_default();
    if url.contains('$') {
        return error("variables in \"proxy_pass\" are not supported here");
    }
    if url.starts_with("https://") {
        return error("https protocol requires SSL support");
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return error("invalid URL prefix");
    };
    let (host, uri) = match rest.find('/') {
        Some(at) => (
            rest.get(..at).unwrap_or_default(),
            rest.get(at..).map(str::to_owned),
        ),
        None => (rest, None),
    };
    let location = match matcher {
        Matcher::Exact(path) | Matcher::Prefix(path, _) => path.clone(),
        Matcher::Pattern(_) | Matcher::Named(_) if uri.is_some() => {
            return error(
                "\"proxy_pass\" cannot have URI part in location given by regular expression, \
                 or inside named location, or inside \"if\" statement, or inside \"limit_except\" block",
            );
        }
        Matcher::Pattern(_) | Matcher::Named(_) => String::new(),
    };
    let known = builder
        .upstreams
        .iter()
        .position(|upstream| upstream.name.eq_ignore_ascii_case(host));
    let upstream = match known {
        Some(upstream) => upstream,
        None => {
            let peers = peers(host, builder.resolve, node)?;
            builder.upstreams.push(Upstream {
                name: host.to_owned(),
                peers,
                ..Upstream::default()
            });
            builder.upstreams.len() - 1
        }
    };
    let port = value::host_and_port(host).map_or(80, |(_, port)| port);
    Ok(ProxyPass {
        upstream,
        host: host.to_owned(),
        port,
        uri,
        location,
    })
}
