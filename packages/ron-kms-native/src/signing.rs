//! The one door through which a secret enters this crate: who signs.
//!
//! graviola computes: the assembly of s2n-bignum, which is proven and takes the same time whatever the secret. It expands
//! the seed once, and overwrites what it keeps when it is dropped. The verifying part knows nothing of this.

use graviola::{signing::eddsa::Ed25519SigningKey, util::is_cpu_supported};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::PyBytes,
};

/// A private key, expanded. It cannot be made but by `signer`, shows nothing, and is never written out.
#[pyclass(frozen, module = "ron_kms_native")]
struct Signer(Box<Ed25519SigningKey>);

#[pymethods]
impl Signer {
    /// The 64 bytes of R and S (RFC 8032 §5.1.6). The GIL is held: it takes ten microseconds.
    #[pyo3(signature = (message, /))]
    fn sign<'py>(&self, message: &Bound<'py, PyBytes>) -> Bound<'py, PyBytes> {
        PyBytes::new(message.py(), &self.0.sign(message.as_bytes()))
    }

    /// Raises `TypeError`: it is never written out, nor copied.
    #[expect(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Signer is never written out"))
    }
}

/// Who signs with the private key of this seed (RFC 8032 §5.1.5), or `None` where the processor lacks what it takes.
///
/// Raises `TypeError` for what is not bytes, `ValueError` for other than 32.
#[pyfunction]
#[pyo3(signature = (seed, /))]
fn signer(seed: &Bound<'_, PyBytes>) -> PyResult<Option<Signer>> {
    if !is_cpu_supported() {
        return Ok(None);
    }
    let key = Ed25519SigningKey::from_bytes(seed.as_bytes());
    let key = key.map_err(|_| PyValueError::new_err("a seed is 32 bytes"))?;
    Ok(Some(Signer(Box::new(key))))
}

/// Add the door to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Signer>()?;
    module.add_function(wrap_pyfunction!(signer, module)?)
}
