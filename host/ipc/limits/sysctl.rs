//! Setting limits by the names that Linux has for them: `sysctl(8)`, `proc_sys_fs_mqueue(5)`,
//! `proc_sys_kernel(5)`.
//!
//! A name is accepted with dots and, as `sysctl(8)` does, with slashes. The ranges are the kernel's.
//! A limit that is raised so stays under the pod's account of bytes, which no sysctl raises.

use super::IpcLimits;

/// Linux's `HARD_MSGMAX`, the most that `fs.mqueue.msg_max` can be.
const HARD_MSGMAX: u64 = 65_536;
/// Linux's `HARD_MSGSIZEMAX`, in bytes.
const HARD_MSGSIZEMAX: u64 = 16 * 1024 * 1024;
/// The least that Linux lets `fs.mqueue.msgsize_max` and `msgsize_default` be, in bytes.
const MIN_MSGSIZEMAX: u64 = 128;
/// Linux's `IPCMNI`: the most objects of one System V kind.
const IPCMNI: u64 = 32_768;
/// Most limits are `int` in the kernel.
const INT_MAX: u64 = 0x7fff_ffff;
/// The number of a semaphore in an operation has 16 bits.
const SEMMSL_MAX: u64 = 65_536;

/// The sysctls of this crate.
const NAMES: [&str; 13] = [
    "fs.mqueue.msg_default",
    "fs.mqueue.msg_max",
    "fs.mqueue.msgsize_default",
    "fs.mqueue.msgsize_max",
    "fs.mqueue.queues_max",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// Why a sysctl was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SysctlError {
    /// No limit of IPC has this name.
    #[error("sysctl \"{name}\" is not one of IPC: they are {}", NAMES.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// The value is not as many numbers as it must be.
    #[error("sysctl \"{name}\": value \"{value}\" must be {}", numbers(*.expected))]
    NotNumbers {
        /// The name.
        name: String,
        /// The value as it was given.
        value: String,
        /// How many numbers it must be.
        expected: usize,
    },
    /// A number is out of its range.
    #[error("sysctl \"{name}\": {what}{number} must be between {least} and {most}, inclusive")]
    OutOfRange {
        /// The name.
        name: String,
        /// Which number of several, with a space after it, or nothing.
        what: &'static str,
        /// The number.
        number: u64,
        /// The least it may be.
        least: u64,
        /// The most it may be.
        most: u64,
    },
}

fn numbers(count: usize) -> String {
    match count {
        1 => "a whole number".to_owned(),
        _ => format!("{count} whole numbers with spaces between them"),
    }
}

/// A name and its value, to take numbers of.
struct Setting<'a> {
    name: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    fn numbers<const N: usize>(&self) -> Result<[u64; N], SysctlError> {
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain)
        };
        let numbers: Option<Vec<u64>> = self.value.split_whitespace().map(number).collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or_else(|| SysctlError::NotNumbers {
                name: self.name.to_owned(),
                value: self.value.to_owned(),
                expected: N,
            })
    }

    fn check(
        &self,
        what: &'static str,
        number: u64,
        least: u64,
        most: u64,
    ) -> Result<u64, SysctlError> {
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(SysctlError::OutOfRange {
            name: self.name.to_owned(),
            what,
            number,
            least,
            most,
        })
    }

    fn one(&self, least: u64, most: u64) -> Result<u64, SysctlError> {
        let [number] = self.numbers()?;
        self.check("", number, least, most)
    }

    /// A number of at most 32 bits, as `most` makes sure.
    fn small(&self, least: u64, most: u64) -> Result<u32, SysctlError> {
        Ok(narrow(self.one(least, most)?))
    }
}

/// Numbers that were checked against a limit of 31 bits.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl IpcLimits {
    /// Whether a sysctl of this name sets one of these limits.
    #[must_use]
    pub fn is_sysctl(name: &str) -> bool {
        NAMES.contains(&name.replace('/', ".").as_str())
    }

    /// Sets the limit that the sysctl of this name is for.
    ///
    /// # Errors
    ///
    /// When there is no such limit, or the value is not what it may be; then nothing has changed.
    pub fn set_sysctl(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        let dotted = name.replace('/', ".");
        let setting = Setting { name, value };
        let system_v = &mut self.system_v;
        match dotted.as_str() {
            "fs.mqueue.queues_max" => self.max_queues = setting.small(0, INT_MAX)?,
            "fs.mqueue.msg_max" => self.max_messages = setting.small(1, HARD_MSGMAX)?,
            "fs.mqueue.msg_default" => self.default_messages = setting.small(1, HARD_MSGMAX)?,
            "fs.mqueue.msgsize_max" => {
                self.max_message_bytes = setting.small(MIN_MSGSIZEMAX, HARD_MSGSIZEMAX)?;
            }
            "fs.mqueue.msgsize_default" => {
                self.default_message_bytes = setting.small(MIN_MSGSIZEMAX, HARD_MSGSIZEMAX)?;
            }
            "kernel.msgmax" => system_v.msgmax = setting.small(0, INT_MAX)?,
            "kernel.msgmnb" => system_v.msgmnb = setting.small(0, INT_MAX)?,
            "kernel.msgmni" => system_v.msgmni = setting.small(0, IPCMNI)?,
            "kernel.shmmax" => system_v.shmmax = setting.one(0, u64::MAX)?,
            "kernel.shmall" => system_v.shmall = setting.one(0, u64::MAX)?,
            "kernel.shmmni" => system_v.shmmni = setting.small(0, IPCMNI)?,
            "kernel.shm_rmid_forced" => system_v.shm_rmid_forced = setting.one(0, 1)? == 1,
            "kernel.sem" => {
                let [semmsl, semmns, semopm, semmni] = setting.numbers()?;
                let semmsl = narrow(setting.check("SEMMSL ", semmsl, 0, SEMMSL_MAX)?);
                let semmns = narrow(setting.check("SEMMNS ", semmns, 0, INT_MAX)?);
                let semopm = narrow(setting.check("SEMOPM ", semopm, 0, INT_MAX)?);
                system_v.semmni = narrow(setting.check("SEMMNI ", semmni, 0, IPCMNI)?);
                (system_v.semmsl, system_v.semmns, system_v.semopm) = (semmsl, semmns, semopm);
            }
            _ => {
                return Err(SysctlError::Unknown {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_sets_its_own_limit_with_dots_and_with_slashes() {
        for name in NAMES {
            let value = match name {
                "kernel.sem" => "251 252 253\t254",
                "kernel.shm_rmid_forced" => "1",
                _ => "1234",
            };
            let mut limits = IpcLimits::default();
            limits.set_sysctl(name, value).unwrap();
            assert_ne!(limits, IpcLimits::default(), "{name}");
            let mut with_slashes = IpcLimits::default();
            let slashed = name.replace('.', "/");
            with_slashes.set_sysctl(&slashed, value).unwrap();
            assert_eq!(limits, with_slashes);
            assert!(IpcLimits::is_sysctl(name) && IpcLimits::is_sysctl(&slashed));
        }
        let mut limits = IpcLimits::default();
        limits.set_sysctl("kernel.sem", "1 2 3 4").unwrap();
        let SystemV(semmsl, semmns, semopm, semmni) = system_v(&limits);
        assert_eq!((semmsl, semmns, semopm, semmni), (1, 2, 3, 4));
    }

    struct SystemV(u32, u32, u32, u32);

    fn system_v(limits: &IpcLimits) -> SystemV {
        let v = &limits.system_v;
        SystemV(v.semmsl, v.semmns, v.semopm, v.semmni)
    }

    #[test]
    fn a_refusal_names_the_sysctl_and_changes_nothing() {
        let table = [
            (
                "kernel.msgmax",
                "many",
                "sysctl \"kernel.msgmax\": value \"many\" must be a whole number",
            ),
            (
                "kernel.msgmax",
                "",
                "sysctl \"kernel.msgmax\": value \"\" must be a whole number",
            ),
            (
                "kernel.msgmax",
                "-1",
                "sysctl \"kernel.msgmax\": value \"-1\" must be a whole number",
            ),
            (
                "kernel.msgmax",
                "+1",
                "sysctl \"kernel.msgmax\": value \"+1\" must be a whole number",
            ),
            (
                "kernel.msgmax",
                "1 2",
                "sysctl \"kernel.msgmax\": value \"1 2\" must be a whole number",
            ),
            (
                "kernel.msgmax",
                "2147483648",
                "sysctl \"kernel.msgmax\": 2147483648 must be between 0 and 2147483647, inclusive",
            ),
            (
                "kernel/sem",
                "1 2 3",
                "sysctl \"kernel/sem\": value \"1 2 3\" must be 4 whole numbers with spaces between them",
            ),
            (
                "kernel.sem",
                "1 2 3 32769",
                "sysctl \"kernel.sem\": SEMMNI 32769 must be between 0 and 32768, inclusive",
            ),
            (
                "fs.mqueue.msg_max",
                "0",
                "sysctl \"fs.mqueue.msg_max\": 0 must be between 1 and 65536, inclusive",
            ),
            (
                "kernel.shm_rmid_forced",
                "2",
                "sysctl \"kernel.shm_rmid_forced\": 2 must be between 0 and 1, inclusive",
            ),
        ];
        for (name, value, text) in table {
            let mut limits = IpcLimits::default();
            let error = limits.set_sysctl(name, value).unwrap_err();
            assert_eq!(error.to_string(), text);
            assert_eq!(limits, IpcLimits::default());
        }
        let error = IpcLimits::default()
            .set_sysctl("net.core.somaxconn", "1")
            .unwrap_err();
        assert!(error.to_string().contains("net.core.somaxconn"));
        assert!(!IpcLimits::is_sysctl("net.core.somaxconn"));
    }
}
