//! What a program is, what it needs from its host and what it offers, read from its bytes without compiling it.
//!
//! Function bodies are skipped here: the compiler checks them. Imports and exports follow the core specification
//! (2.5 Modules) and the component model (Explainer.md, import and export definitions).

use std::collections::BTreeSet;

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::Types;
use wasmparser::{Parser, Payload, ValidPayload, Validator, WasmFeatures};

pub use wasmpod_image::format::Kind;

/// The function that a core module runs as: WASI's application ABI for commands.
pub(crate) const CORE_ENTRY: &str = "_start";

/// The interface that a component runs as, without its version.
const COMPONENT_ENTRY: &str = "wasi:cli/run";

/// The interface by which a component handles HTTP requests, without its version.
pub(crate) const HTTP_ENTRY: &str = "wasi:http/incoming-handler";

/// The same in WASI 0.3, which is served with the feature `wasi-0-3`.
pub(crate) const HTTP_ENTRY_0_3: &str = "wasi:http/handler";

/// A program as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Core module or component.
    pub kind: Kind,
    /// The size of the file, in bytes.
    pub size_bytes: u64,
    /// What it needs, in the order of the file. For a component one for each interface and each function that is
    /// imported without one; for a core module one for each function, memory, table or global.
    pub imports: Vec<Import>,
    /// The names of what it offers.
    pub exports: Vec<String>,
    /// Whether it can be run as a program: a core module with `_start`, a component with `wasi:cli/run`.
    pub is_command: bool,
    /// Whether it can be served: a component with `wasi:http/incoming-handler`, or with `wasi:http/handler` where the
    /// feature `wasi-0-3` is there. As a container it is then not run as a program, even if it could be.
    pub handles_http: bool,
}

/// One thing that a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// `module.name` for a core module, `package/interface@version` for a component.
    pub name: String,
    /// What of it this host does not offer, spelt as in [`wasmpod_sandbox::RuntimeError::MissingImports`]; empty
    /// when all is there.
    pub missing: Vec<String>,
}

impl Inspection {
    /// All that this host does not offer.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.imports
            .iter()
            .flat_map(|import| import.missing.iter().cloned())
            .collect()
    }

    /// Whether it handles HTTP requests in the way of WASI 0.3 alone, for which the feature `wasi-0-3` is needed.
    #[must_use]
    pub fn handles_http_0_3(&self) -> bool {
        is_of_wasi_0_3(self.kind, &self.exports)
    }
}

/// What a program's file says, before it is compared with what this host offers.
pub(crate) struct Outline {
    pub(crate) kind: Kind,
    pub(crate) imports: Vec<Need>,
    pub(crate) exports: Vec<String>,
}

/// One need of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A core module's import.
    Core { module: String, name: String },
    /// A component's import of an interface, and the functions that it uses of it.
    Interface {
        name: String,
        functions: Vec<String>,
    },
    /// A component's import of something that is no interface.
    Bare { name: String },
}

impl Outline {
    /// Whether the program can be run.
    pub(crate) fn is_command(&self) -> bool {
        match self.kind {
            Kind::Module => self.exports.iter().any(|export| export == CORE_ENTRY),
            Kind::Component => self.exports_interface(COMPONENT_ENTRY),
        }
    }

    /// Whether the program can be served.
    pub(crate) fn handles_http(&self) -> bool {
        self.kind == Kind::Component && self.exports_interface(HTTP_ENTRY)
            || cfg!(feature = "wasi-0-3") && self.handles_http_0_3()
    }

    /// Whether it handles HTTP requests, in the way of WASI 0.3 alone.
    pub(crate) fn handles_http_0_3(&self) -> bool {
        is_of_wasi_0_3(self.kind, &self.exports)
    }

    fn exports_interface(&self, interface: &str) -> bool {
        contains_interface(&self.exports, interface)
    }
}

fn is_of_wasi_0_3(kind: Kind, exports: &[String]) -> bool {
    kind == Kind::Component
        && contains_interface(exports, HTTP_ENTRY_0_3)
        && !contains_interface(exports, HTTP_ENTRY)
}

fn contains_interface(exports: &[String], interface: &str) -> bool {
    let mut exports = exports.iter();
    exports.any(|export| export.split('@').next() == Some(interface))
}

/// Reads the outline of `wasm`.
///
/// # Errors
/// The bytes are not valid WebAssembly; the text says why and at which offset.
pub(crate) fn read_outline(wasm: &[u8]) -> Result<Outline, String> {
    let kind = wasmpod_image::format::read_outline(wasm).map_err(|error| error.to_string())?;
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut depth = 0_usize;
    let mut component_imports = BTreeSet::new();
    let mut exports = Vec::new();
    let mut types: Option<Types> = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| error.to_string())?;
        if depth == 0 {
            read_names(&payload, &mut component_imports, &mut exports)
                .map_err(|error| error.to_string())?;
        }
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let ValidPayload::End(ended) = validator
            .payload(&payload)
            .map_err(|error| error.to_string())?
        {
            // The outermost one ends last.
            types = Some(ended);
        }
    }
    let types = types.ok_or("unexpected end of file")?;
    let imports = match kind {
        Kind::Module => core_needs(&types),
        Kind::Component => component_imports
            .into_iter()
            .map(|name| component_need(&types, name))
            .collect(),
    };
    Ok(Outline {
        kind,
        imports,
        exports,
    })
}

fn read_names(
    payload: &Payload<'_>,
    imports: &mut BTreeSet<String>,
    exports: &mut Vec<String>,
) -> wasmparser::Result<()> {
    match payload {
        Payload::ComponentImportSection(section) => {
            for import in section.clone() {
                imports.insert(import?.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(section) => {
            for export in section.clone() {
                exports.push(export?.name.name.to_owned());
            }
        }
        Payload::ExportSection(section) => {
            for export in section.clone() {
                exports.push(export?.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

fn core_needs(types: &Types) -> Vec<Need> {
    let types = types.as_ref();
    let imports = types.core_imports().into_iter().flatten();
    imports
        .map(|(module, name, _)| Need::Core {
            module: module.to_owned(),
            name: name.to_owned(),
        })
        .collect()
}

fn component_need(types: &Types, name: String) -> Need {
    let types = types.as_ref();
    let Some(ComponentEntityType::Instance(instance)) =
        types.component_item_for_import(&name).map(|item| item.ty)
    else {
        return Need::Bare { name };
    };
    let functions = types
        .get(instance)
        .into_iter()
        .flat_map(|instance| &instance.exports);
    let functions = functions
        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
        .map(|(name, _)| name.clone())
        .collect();
    Need::Interface { name, functions }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        read_outline(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn a_module_is_described_by_its_imports_and_exports() {
        let outline = outline(
            r#"(module
                (import "env" "one" (func))
                (import "env" "memory" (memory 1))
                (func (export "_start")))"#,
        );
        assert_eq!(outline.kind, Kind::Module);
        let need = |name: &str| Need::Core {
            module: "env".into(),
            name: name.into(),
        };
        assert_eq!(outline.imports, [need("one"), need("memory")]);
        assert_eq!(outline.exports, ["_start"]);
        assert!(outline.is_command());
    }

    #[test]
    fn a_component_is_described_by_its_own_imports_not_by_those_of_its_modules() {
        let outline = outline(
            r#"(component
                (import "wasi:cli/stdout@0.2.3" (instance
                    (export "output-stream" (type (sub resource)))
                    (export "get-stdout" (func))))
                (import "bare" (func))
                (core module (import "inner" "f" (func)) (func (export "g"))))"#,
        );
        assert_eq!(outline.kind, Kind::Component);
        let functions = vec!["get-stdout".to_owned()];
        let stdout = Need::Interface {
            name: "wasi:cli/stdout@0.2.3".into(),
            functions,
        };
        assert_eq!(
            outline.imports,
            [
                Need::Bare {
                    name: "bare".into()
                },
                stdout
            ]
        );
        assert!(outline.exports.is_empty());
        assert!(!outline.is_command());
    }

    #[test]
    fn what_is_no_program_is_named_for_what_it_is() {
        let error = |bytes: &[u8]| read_outline(bytes).err().unwrap();
        assert!(error(b"\x7fELF\x02\x01\x01\0").contains("ELF"));
        assert!(error(b"#!/bin/sh\n").contains("script"));
        let wasm = wat::parse_str("(module (func (export \"_start\")))").unwrap();
        assert!(error(&wasm[..wasm.len() - 3]).contains("truncated"));
        let mut damaged = wasm;
        // The id of the first section.
        damaged[8] = 0x7f;
        assert!(!error(&damaged).is_empty());
    }
}
