//! Name lookup as a component sees it.

use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host as _, HostResolveAddressStream as _,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};

use super::{Guest, again, code_of, pod};

#[test]
fn names_of_the_pod_resolve_and_others_do_not() {
    let pod = pod();
    let mut guest = Guest::new(&pod, "a");
    let network = guest.network();
    let stream = guest
        .view()
        .resolve_addresses(again(&network), "localhost".into())
        .unwrap();
    let mut addresses = Vec::new();
    while let Some(address) = guest.view().resolve_next_address(again(&stream)).unwrap() {
        addresses.push(address);
    }
    assert!(
        addresses
            .iter()
            .any(|a| matches!(a, IpAddress::Ipv4((127, 0, 0, 1))))
    );
    let lookup = |guest: &mut Guest, name: &str| {
        code_of(guest.view().resolve_addresses(again(&network), name.into()))
    };
    assert_eq!(
        lookup(&mut guest, "example.com"),
        ErrorCode::NameUnresolvable
    );
    assert_eq!(lookup(&mut guest, ""), ErrorCode::InvalidArgument);
}
