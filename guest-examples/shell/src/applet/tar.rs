//! `tar`: archives in the interchange format of POSIX (XCU pax, "ustar"), with GNU's and pax's long names.
//!
//! What `kubectl cp` and the like send through `exec` is read and written as it streams; nothing is held but one block
//! and one name. Owners are not kept, as WASI has no users; modes and devices neither, as it has none. Links that would
//! lead an extraction out of its folder are refused by the host, which keeps every path inside; `..` in names is refused
//! here, as GNU tar does.

use super::{Call, Fail, Options, Outcome};
use crate::io::{Fd, strerror};
use crate::rt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tar::{EntryType, Header};

/// The unit of an archive, in bytes (ustar).
const BLOCK: usize = 512;
/// An archive is filled up to a multiple of this, in bytes (GNU and POSIX: 20 blocks).
const RECORD: usize = 20 * BLOCK;
/// The longest name that an extension header may bring, in bytes (Linux's PATH_MAX).
const MAX_NAME_BYTES: u64 = 4096;
/// The most bytes of pax records that are read for one entry; more is refused.
const MAX_PAX_BYTES: u64 = 64 * 1024;
/// How much of a file is moved at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// `tar -c|-x|-t [-vzmpOkh] [-f archive] [-C folder] [--exclude pattern] [-T file] [name…]`.
pub(super) async fn tar(call: &mut Call<'_>) -> Outcome {
    // The first argument may be a bundle of letters without a dash, POSIX's old form.
    if let Some(first) = call.args.first_mut()
        && !first.starts_with('-')
    {
        first.insert(0, '-');
    }
    let long = [
        ("create", 'c'),
        ("extract", 'x'),
        ("get", 'x'),
        ("list", 't'),
        ("file", 'f'),
        ("verbose", 'v'),
        ("directory", 'C'),
        ("to-stdout", 'O'),
        ("touch", 'm'),
        ("keep-old-files", 'k'),
        ("preserve-permissions", 'p'),
        ("same-owner", 's'),
        ("no-same-owner", 'o'),
        ("no-same-permissions", 'n'),
        ("overwrite", 'w'),
        ("gzip", 'z'),
        ("gunzip", 'z'),
        ("exclude", 'X'),
        ("numeric-owner", 'N'),
        ("dereference", 'h'),
        ("absolute-names", 'P'),
        ("warning", 'W'),
    ];
    let options = call.options("cxtvf:C:OmkpsonwzhX:NPW:", &long)?;
    if options.has('z') {
        return Err(Fail::new(
            "compressed archives are not supported: this program has no gzip",
        ));
    }
    let folder = options.value('C').map(str::to_owned);
    match options.last_of("cxt") {
        Some('c') => create(call, &options, folder.as_deref()).await,
        Some(mode) => read(call, &options, folder.as_deref(), mode == 'x').await,
        None => Err(Fail::Message(
            "You must specify one of the '-ctx' options".into(),
            2,
        )),
    }
}

/// The path of an operand, counted from the folder of `-C`.
fn path_in(call: &Call<'_>, folder: Option<&str>, name: &str) -> PathBuf {
    match folder {
        Some(folder) if !name.starts_with('/') => call.path(folder).join(name),
        _ => call.path(name),
    }
}

// --- writing ---------------------------------------------------------------------------------------------

struct Writer {
    to: Fd,
    written: usize,
}

impl Writer {
    async fn put(&mut self, bytes: &[u8]) -> Result<(), Fail> {
        self.written += bytes.len();
        Ok(self.to.write(bytes).await?)
    }

    async fn pad(&mut self, unit: usize) -> Result<(), Fail> {
        let rest = self.written % unit;
        if rest > 0 {
            self.put(&vec![0; unit - rest]).await?;
        }
        Ok(())
    }
}

async fn create(call: &mut Call<'_>, options: &Options, folder: Option<&str>) -> Outcome {
    let names = std::mem::take(&mut call.args);
    if names.is_empty() {
        return Err(Fail::Message(
            "Cowardly refusing to create an empty archive".into(),
            2,
        ));
    }
    let to = match options.value('f') {
        None | Some("-") => call
            .shell
            .fd(1)
            .ok_or_else(|| Fail::new("write error: Bad file descriptor"))?,
        Some(name) => {
            let file = File::create(call.path(name))
                .map_err(|error| Fail::Message(format!("{name}: {}", strerror(&error)), 2))?;
            Fd::file(file)
        }
    };
    let mut writer = Writer { to, written: 0 };
    let mut status = 0;
    for name in names {
        let mut waiting = vec![(path_in(call, folder, &name), name)];
        while let Some((path, name)) = waiting.pop() {
            if is_excluded(options, &name) {
                continue;
            }
            match add(call, options, &mut writer, &path, &name).await {
                Ok(mut children) => waiting.append(&mut children),
                Err(Fail::Message(message, _)) => {
                    call.warn(message).await?;
                    status = 2;
                }
                Err(other) => return Err(other),
            }
        }
    }
    writer.put(&[0; 2 * BLOCK]).await?;
    writer.pad(RECORD).await?;
    Ok(status)
}

fn is_excluded(options: &Options, name: &str) -> bool {
    options.iter().any(|(option, pattern)| {
        option == 'X'
            && (name == pattern || name.rsplit('/').next().is_some_and(|base| base == pattern))
    })
}

/// Adds one entry; gives what is in it when it is a folder.
async fn add(
    call: &mut Call<'_>,
    options: &Options,
    writer: &mut Writer,
    path: &Path,
    name: &str,
) -> Result<Vec<(PathBuf, String)>, Fail> {
    let about = |error: &std::io::Error| Fail::Message(format!("{name}: {}", strerror(error)), 2);
    let data = if options.has('h') {
        path.metadata()
    } else {
        path.symlink_metadata()
    }
    .map_err(|error| about(&error))?;
    let stored = name.trim_start_matches('/');
    let stored = if stored.is_empty() { "." } else { stored };
    if options.has('v') {
        let line = if data.is_dir() {
            format!("{}/", name.trim_end_matches('/'))
        } else {
            name.to_owned()
        };
        // The list goes where the archive does not.
        match call.shell.fd(2) {
            Some(fd) if matches!(options.value('f'), None | Some("-")) => {
                fd.write(format!("{line}\n").as_bytes()).await?;
            }
            _ => call.line(line).await?,
        }
    }
    let mut header = Header::new_gnu();
    let modified = data.modified().ok();
    let seconds = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    header.set_mtime(seconds.map_or(0, |since| since.as_secs()));
    header.set_uid(0);
    header.set_gid(0);
    if data.is_dir() {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        let entry = format!("{}/", stored.trim_end_matches('/'));
        put_header(writer, &mut header, &entry, None).await?;
        let mut children = Vec::new();
        for child in fs::read_dir(path).map_err(|error| about(&error))? {
            let child = child.map_err(|error| about(&error))?;
            let base = child.file_name().to_string_lossy().into_owned();
            children.push((
                child.path(),
                format!("{}/{base}", name.trim_end_matches('/')),
            ));
        }
        // The last one is taken first.
        children.sort_by(|left, right| right.1.cmp(&left.1));
        return Ok(children);
    }
    header.set_mode(0o644);
    if data.is_symlink() {
        let target = fs::read_link(path).map_err(|error| about(&error))?;
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        let target = target.to_string_lossy().into_owned();
        put_header(writer, &mut header, stored, Some(&target)).await?;
        return Ok(Vec::new());
    }
    let mut file = File::open(path).map_err(|error| about(&error))?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(data.len());
    put_header(writer, &mut header, stored, None).await?;
    let mut left = data.len();
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let part = chunk.get_mut(..wanted).unwrap_or_default();
        let count = file.read(part).map_err(|error| about(&error))?;
        if count == 0 {
            // The header has said how long it is.
            part.fill(0);
            call.warn(format!(
                "{name}: File shrank by {left} bytes; padding with zeros"
            ))
            .await?;
        }
        let count = if count == 0 { wanted } else { count };
        writer.put(part.get(..count).unwrap_or_default()).await?;
        left -= u64::try_from(count).unwrap_or(left).min(left);
        rt::give_way().await;
    }
    writer.pad(BLOCK).await?;
    Ok(Vec::new())
}

async fn put_header(
    writer: &mut Writer,
    header: &mut Header,
    name: &str,
    link: Option<&str>,
) -> Result<(), Fail> {
    // By hand: the library would take a leading `./` away.
    let field = &mut header.as_old_mut().name;
    if name.len() > field.len() {
        put_long(writer, EntryType::GNULongName, name).await?;
    }
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    if let Some(link) = link
        && header.set_link_name_literal(link).is_err()
    {
        put_long(writer, EntryType::GNULongLink, link).await?;
    }
    header.set_cksum();
    writer.put(header.as_bytes()).await
}

async fn put_long(writer: &mut Writer, kind: EntryType, text: &str) -> Result<(), Fail> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(u64::try_from(text.len() + 1).unwrap_or(0));
    let _ = header.set_path("././@LongLink");
    header.set_cksum();
    writer.put(header.as_bytes()).await?;
    writer.put(text.as_bytes()).await?;
    writer.put(b"\0").await?;
    writer.pad(BLOCK).await
}

// --- reading ---------------------------------------------------------------------------------------------

/// An archive while it is read.
struct Reader {
    from: Fd,
    /// What was read and not yet used.
    bytes: Vec<u8>,
    used: usize,
}

impl Reader {
    /// The next bytes, at most `limit`; nothing at the end.
    async fn some(&mut self, limit: usize) -> Result<&[u8], Fail> {
        if self.used == self.bytes.len() {
            self.bytes = self.from.read().await?;
            self.used = 0;
        }
        let end = self.bytes.len().min(self.used.saturating_add(limit));
        let part = self.bytes.get(self.used..end).unwrap_or_default();
        self.used = end;
        Ok(part)
    }

    /// Fills `target`; false when the archive has ended before it.
    async fn exactly(&mut self, target: &mut [u8]) -> Result<bool, Fail> {
        let mut filled = 0;
        while filled < target.len() {
            let part = self.some(target.len() - filled).await?;
            if part.is_empty() {
                return if filled == 0 {
                    Ok(false)
                } else {
                    Err(not_an_archive())
                };
            }
            let end = filled + part.len();
            if let Some(room) = target.get_mut(filled..end) {
                room.copy_from_slice(part);
            }
            filled = end;
        }
        Ok(true)
    }

    /// Takes an entry's content as it comes, and the padding behind it.
    async fn content(&mut self, size: u64, mut each: impl FnMut(&[u8])) -> Result<(), Fail> {
        let mut left = size;
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let part = self.some(limit).await?;
            if part.is_empty() {
                return Err(unexpected_end());
            }
            each(part);
            left -= u64::try_from(part.len()).unwrap_or(left).min(left);
            rt::give_way().await;
        }
        self.skip_padding(size).await
    }

    /// An entry's content is followed by zeros up to the next block.
    async fn skip_padding(&mut self, size: u64) -> Result<(), Fail> {
        let block = u64::try_from(BLOCK).unwrap_or(1);
        let padding = usize::try_from((block - size % block) % block).unwrap_or(0);
        let mut rest = vec![0; padding];
        if rest.is_empty() || self.exactly(&mut rest).await? {
            Ok(())
        } else {
            Err(unexpected_end())
        }
    }

    async fn text(&mut self, size: u64, limit: u64) -> Result<Vec<u8>, Fail> {
        if size > limit {
            return Err(Fail::Message("an extended header is too long".into(), 2));
        }
        let mut text = Vec::new();
        self.content(size, |part| text.extend_from_slice(part))
            .await?;
        Ok(text)
    }
}

fn unexpected_end() -> Fail {
    Fail::Message("Unexpected EOF in archive".into(), 2)
}

/// What extension headers have said about the entry that follows.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

async fn read(
    call: &mut Call<'_>,
    options: &Options,
    folder: Option<&str>,
    extracts: bool,
) -> Outcome {
    let from = match options.value('f') {
        None => call.stdin()?,
        Some(name) => call
            .open(name)
            .map_err(|error| Fail::Message(format!("{name}: {}", strerror(&error)), 2))?,
    };
    let wanted = std::mem::take(&mut call.args);
    let mut reader = Reader {
        from,
        bytes: Vec::new(),
        used: 0,
    };
    let (mut status, mut extended) = (0, Extended::default());
    let mut found = vec![false; wanted.len()];
    loop {
        let mut header = Header::new_gnu();
        if !reader.exactly(header.as_mut_bytes()).await? {
            break;
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            break;
        }
        let sum: u32 = header
            .as_bytes()
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                u32::from(if (148..156).contains(&at) {
                    b' '
                } else {
                    *byte
                })
            })
            .sum();
        let size = header.entry_size();
        let (Ok(stored), Ok(size)) = (header.cksum(), size) else {
            return Err(not_an_archive());
        };
        if stored != sum {
            return Err(not_an_archive());
        }
        match header.entry_type() {
            EntryType::GNULongName => {
                extended.name = Some(until_nul(&reader.text(size, MAX_NAME_BYTES).await?));
                continue;
            }
            EntryType::GNULongLink => {
                extended.link = Some(until_nul(&reader.text(size, MAX_NAME_BYTES).await?));
                continue;
            }
            EntryType::XHeader => {
                pax(&reader.text(size, MAX_PAX_BYTES).await?, &mut extended);
                continue;
            }
            EntryType::XGlobalHeader => {
                reader.content(size, |_| {}).await?;
                continue;
            }
            _ => {}
        }
        let known = std::mem::take(&mut extended);
        let size = known.size.unwrap_or(size);
        let name = known
            .name
            .unwrap_or_else(|| String::from_utf8_lossy(&header.path_bytes()).into_owned());
        let hit = wanted
            .iter()
            .position(|wanted| is_in(&name, wanted.trim_end_matches('/')));
        if let Some(found) = hit.and_then(|at| found.get_mut(at)) {
            *found = true;
        }
        if (hit.is_none() && !wanted.is_empty()) || is_excluded(options, name.trim_end_matches('/'))
        {
            reader.content(size, |_| {}).await?;
            continue;
        }
        if !extracts || options.has('v') {
            call.line(&name).await?;
        }
        if !extracts {
            reader.content(size, |_| {}).await?;
            continue;
        }
        if options.has('O') {
            copy_to_output(call, &mut reader, size).await?;
            continue;
        }
        let entry = Entry {
            kind: header.entry_type(),
            link: known.link.or_else(|| {
                let link = header.link_name_bytes()?;
                Some(String::from_utf8_lossy(&link).into_owned())
            }),
            modified: header.mtime().ok().filter(|_| !options.has('m')),
            keep_old: options.has('k'),
            name,
            size,
        };
        if let Some(message) = extract(call, &mut reader, folder, &entry).await? {
            call.warn(message).await?;
            status = 2;
        }
    }
    for (name, _) in wanted.iter().zip(&found).filter(|(_, found)| !**found) {
        call.warn(format!("{name}: Not found in archive")).await?;
        status = 2;
    }
    Ok(status)
}

fn not_an_archive() -> Fail {
    Fail::Message("This does not look like a tar archive".into(), 2)
}

fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default())
        .into_owned()
}

fn is_in(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Records of a pax header: `LENGTH KEY=VALUE\n`, the length counting all of it.
fn pax(mut records: &[u8], extended: &mut Extended) {
    while let Some(blank) = records.iter().position(|byte| *byte == b' ') {
        let length = records
            .get(..blank)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse::<usize>().ok());
        let Some(record) = length.and_then(|length| records.get(blank + 1..length)) else {
            return;
        };
        records = length
            .and_then(|length| records.get(length..))
            .unwrap_or_default();
        let text = String::from_utf8_lossy(record);
        if let Some((key, value)) = text.trim_end_matches('\n').split_once('=') {
            match key {
                "path" => extended.name = Some(value.to_owned()),
                "linkpath" => extended.link = Some(value.to_owned()),
                "size" => extended.size = value.parse().ok(),
                _ => {}
            }
        }
    }
}

async fn copy_to_output(call: &mut Call<'_>, reader: &mut Reader, size: u64) -> Result<(), Fail> {
    let mut left = size;
    while left > 0 {
        let limit = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let part = reader.some(limit).await?;
        if part.is_empty() {
            return Err(unexpected_end());
        }
        left -= u64::try_from(part.len()).unwrap_or(left).min(left);
        call.put(part).await?;
    }
    reader.skip_padding(size).await
}

/// An entry that is to be made.
struct Entry {
    kind: EntryType,
    name: String,
    link: Option<String>,
    size: u64,
    modified: Option<u64>,
    keep_old: bool,
}

/// Makes one entry. A message says why it could not; the archive is read on.
async fn extract(
    call: &Call<'_>,
    reader: &mut Reader,
    folder: Option<&str>,
    entry: &Entry,
) -> Result<Option<String>, Fail> {
    let name = entry.name.trim_start_matches('/');
    let path = path_in(call, folder, name);
    let leads_out = Path::new(name)
        .components()
        .any(|part| part == Component::ParentDir);
    let made = if leads_out {
        Err(format!("{name}: Member name contains '..'"))
    } else if entry.kind.is_file() || entry.kind.is_contiguous() {
        match open_new(&path, entry.keep_old) {
            Ok(file) => return finish_file(reader, file, entry).await,
            Err(error) => Err(format!("{name}: Cannot open: {}", strerror(&error))),
        }
    } else {
        make_other(call, folder, &path, entry)
    };
    reader.content(entry.size, |_| {}).await?;
    Ok(made.err())
}

fn open_new(path: &Path, keep_old: bool) -> std::io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // A link in its place must not be written through, as in every tar.
    if !keep_old && path.symlink_metadata().is_ok_and(|data| !data.is_dir()) {
        fs::remove_file(path)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

async fn finish_file(
    reader: &mut Reader,
    mut file: File,
    entry: &Entry,
) -> Result<Option<String>, Fail> {
    let mut failed = None;
    reader
        .content(entry.size, |part| {
            if failed.is_none()
                && let Err(error) = file.write_all(part)
            {
                failed = Some(format!(
                    "{}: Cannot write: {}",
                    entry.name,
                    strerror(&error)
                ));
            }
        })
        .await?;
    let modified = entry
        .modified
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    if let Some(modified) = modified {
        // A host that keeps no such time still has the file.
        let _ = file.set_modified(modified);
    }
    Ok(failed)
}

fn make_other(
    call: &Call<'_>,
    folder: Option<&str>,
    path: &Path,
    entry: &Entry,
) -> Result<(), String> {
    let told = |error: &std::io::Error| format!("{}: {}", entry.name, strerror(error));
    match entry.kind {
        EntryType::Directory => fs::create_dir_all(path).map_err(|error| told(&error)),
        EntryType::Symlink => {
            let target = entry.link.as_deref().unwrap_or_default();
            let made = symlink(target, path);
            made.map_err(|error| {
                format!(
                    "{}: Cannot create symlink to '{target}': {}",
                    entry.name,
                    strerror(&error)
                )
            })
        }
        EntryType::Link => {
            let target = entry.link.as_deref().unwrap_or_default();
            let from = path_in(call, folder, target.trim_start_matches('/'));
            fs::hard_link(from, path).map_err(|error| {
                format!(
                    "{}: Cannot hard link to '{target}': {}",
                    entry.name,
                    strerror(&error)
                )
            })
        }
        _ => Err(format!(
            "{}: Cannot make: devices and fifos do not exist here",
            entry.name
        )),
    }
}

fn symlink(target: &str, path: &Path) -> std::io::Result<()> {
    match path.symlink_metadata() {
        Ok(data) if !data.is_dir() => fs::remove_file(path)?,
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    super::files::symlink(target, path)
}
