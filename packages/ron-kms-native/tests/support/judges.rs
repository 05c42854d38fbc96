//! Who decides what is right: ed25519-dalek always, libsodium where it is asked for.
//!
//! Both decide by the rule at the head of `src/verdicts.rs`. To dalek's `verify_strict` one line is added, that the
//! encoding of the key is canonical. libsodium (`crypto_sign_verify_detached` of 1.0.18 to 1.0.22) refuses of itself
//! S ≥ L, keys that are not canonical or of small order, and R of small order, and compares bytes with R;
//! what is added is that lengths are looked at, since it takes pointers.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_ulonglong, c_void};

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, VerifyingKey};

/// dalek's opinion of a key, formed once; `None` for one that the rule refuses.
pub struct Dalek(Option<VerifyingKey>);

impl Dalek {
    pub fn new(public_key: &[u8]) -> Self {
        let encoded = CompressedEdwardsY::from_slice(public_key).ok();
        let key = encoded.filter(|encoded| {
            let point = encoded.decompress();
            point.is_some_and(|point| point.compress() == *encoded)
        });
        let key = key.and_then(|encoded| VerifyingKey::from_bytes(&encoded.0).ok());
        Self(key.filter(|key| !key.is_weak()))
    }

    /// Whether any signature can hold under the key.
    pub fn accepts_key(&self) -> bool {
        self.0.is_some()
    }

    pub fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.is_some_and(|key| {
            let signature = Signature::from_slice(signature);
            signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        })
    }
}

type VerifyDetached =
    unsafe extern "C" fn(*const c_uchar, *const c_uchar, c_ulonglong, *const c_uchar) -> c_int;

/// libsodium, looked for when the program runs: nothing of it is needed to build.
pub struct Sodium {
    pub version: String,
    verify: VerifyDetached,
}

impl Sodium {
    const NAMES: [&CStr; 3] = [c"libsodium.so.26", c"libsodium.so.23", c"libsodium.so"];

    /// The installed one, or `None`.
    pub fn find() -> Option<Self> {
        // SAFETY: the names end in 0; libsodium's loading runs nothing but its own constructors.
        let library = Self::NAMES
            .iter()
            .map(|name| unsafe { dlopen(name.as_ptr(), RTLD_NOW) })
            .find(|library| !library.is_null())?;
        let symbol = |name: &CStr| {
            // SAFETY: the library is open, and stays so; the name ends in 0.
            let symbol = unsafe { dlsym(library, name.as_ptr()) };
            (!symbol.is_null()).then_some(symbol)
        };
        let (init, version, verify) = (
            symbol(c"sodium_init")?,
            symbol(c"sodium_version_string")?,
            symbol(c"crypto_sign_verify_detached")?,
        );
        // SAFETY: libsodium declares them so; the version is a text that stays.
        unsafe {
            let init: unsafe extern "C" fn() -> c_int = std::mem::transmute(init);
            let version: unsafe extern "C" fn() -> *const c_char = std::mem::transmute(version);
            let version = CStr::from_ptr(version()).to_string_lossy().into_owned();
            (init() >= 0).then_some(Self {
                version,
                verify: std::mem::transmute::<*mut c_void, VerifyDetached>(verify),
            })
        }
    }

    pub fn holds(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        // SAFETY: it reads 64 bytes, `len` bytes and 32 bytes, which are there.
        signature.len() == 64
            && public_key.len() == 32
            && unsafe {
                let (message, length) = (message.as_ptr(), message.len() as c_ulonglong);
                (self.verify)(signature.as_ptr(), message, length, public_key.as_ptr()) == 0
            }
    }
}

const RTLD_NOW: c_int = 2;

// They are in every C library that std links where there is a `libsodium.so`.
unsafe extern "C" {
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}
