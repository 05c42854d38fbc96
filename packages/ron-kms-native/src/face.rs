//! The Python module: checks types, lets go of the GIL, and hands over. It decides nothing.

use std::{env, num::NonZeroUsize, sync::OnceLock, thread};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyList, PySequence, PyTuple},
};

use crate::{Item, Path, Width, key, signing, verdicts};

/// A loaded public key. It cannot be made but by `load`, nor pickled.
#[pyclass(frozen, weakref, module = "ron_kms_native", name = "Key")]
struct Key(key::Key);

#[pymethods]
impl Key {
    /// Bytes that its tables take now.
    #[getter]
    fn table_bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Raises `TypeError`: it is never written out, nor copied.
    #[expect(clippy::unused_self, reason = "Python calls it as a method")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a Key is never written out"))
    }
}

/// Load a public key: about a millisecond. What the rule refuses loads as a key that refuses everything.
///
/// `width` fixes the table's width, 4 to 12, for tests and measurements.
/// Raises `TypeError` for what is not bytes, `ValueError` for another width.
#[pyfunction]
#[pyo3(signature = (public_key, /, *, width = None))]
fn load(py: Python<'_>, public_key: &Bound<'_, PyBytes>, width: Option<u8>) -> PyResult<Key> {
    let bytes = public_key.as_bytes();
    let Some(bits) = width else {
        return Ok(Key(py.detach(|| key::Key::load(bytes))));
    };
    let width = Width::new(bits).ok_or_else(|| PyValueError::new_err("width is 4 to 12"))?;
    Ok(Key(py.detach(|| key::Key::load_with_width(bytes, width))))
}

/// Give one verdict for each item, in order, as bytes of 1 and 0.
///
/// Items are a sequence of tuples `(Key, message: bytes, signature: bytes)`, of any lengths. The GIL is free
/// meanwhile; `RAYON_NUM_THREADS`, or the processors there are, bound the threads.
/// Raises `TypeError` for other types, `ValueError` for a path that does not work here.
#[pyfunction]
#[pyo3(signature = (items, /, *, path = None, threads = None))]
fn verify_many<'py>(
    py: Python<'py>,
    items: &Bound<'py, PyAny>,
    path: Option<&str>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let path = chosen(path)?;
    // A tuple of tuples of bytes cannot change while the GIL is free, and keeps all of it alive.
    let items = frozen(items)?;
    let tuples = items
        .iter_borrowed()
        .map(|item| Ok(item.cast::<PyTuple>()?))
        .collect::<PyResult<Vec<_>>>()?;
    let parts = tuples
        .iter()
        .map(|tuple| parts(tuple))
        .collect::<PyResult<Vec<_>>>()?;
    let asked: Vec<Item> = parts
        .iter()
        .map(|(key, message, signature)| (&key.get().0, message.as_bytes(), signature.as_bytes()))
        .collect();
    let threads = threads.unwrap_or_else(threads_by_default);
    let verdicts = py.detach(|| verdicts::verify_many(&asked, path, threads));
    Ok(PyBytes::new(py, &verdicts))
}

/// Whether the signature is valid.
///
/// Raises as `verify_many` does.
#[pyfunction]
#[pyo3(signature = (key, message, signature, /, *, path = None))]
fn verify_one(
    py: Python<'_>,
    key: &Bound<'_, Key>,
    message: &Bound<'_, PyBytes>,
    signature: &Bound<'_, PyBytes>,
    path: Option<&str>,
) -> PyResult<bool> {
    let path = chosen(path)?;
    let (key, message, signature) = (key.get(), message.as_bytes(), signature.as_bytes());
    Ok(py.detach(|| verdicts::verify_one(&key.0, message, signature, path)))
}

/// The name of the fastest path on this machine, which is the one taken.
#[pyfunction]
fn path() -> &'static str {
    Path::best().name()
}

/// The names of all paths that work on this machine, the fastest first.
#[pyfunction]
fn paths() -> Vec<&'static str> {
    Path::available().iter().map(|path| path.name()).collect()
}

/// Strict Ed25519 verification for few, long-lived keys.
#[pymodule]
fn ron_kms_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Key>()?;
    module.add_function(wrap_pyfunction!(load, module)?)?;
    module.add_function(wrap_pyfunction!(verify_many, module)?)?;
    module.add_function(wrap_pyfunction!(verify_one, module)?)?;
    module.add_function(wrap_pyfunction!(path, module)?)?;
    module.add_function(wrap_pyfunction!(paths, module)?)?;
    signing::register(module)
}

type Parts<'a, 'py> = (
    Borrowed<'a, 'py, Key>,
    Borrowed<'a, 'py, PyBytes>,
    Borrowed<'a, 'py, PyBytes>,
);

fn frozen<'py>(items: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(list) = items.cast::<PyList>() {
        return Ok(list.to_tuple());
    }
    items.cast::<PySequence>()?.to_tuple()
}

fn parts<'a, 'py>(tuple: &'a Bound<'py, PyTuple>) -> PyResult<Parts<'a, 'py>> {
    if tuple.len() != 3 {
        return Err(PyValueError::new_err(
            "an item is (key, message, signature)",
        ));
    }
    let part = |i| tuple.get_borrowed_item(i);
    Ok((part(0)?.cast()?, part(1)?.cast()?, part(2)?.cast()?))
}

fn chosen(name: Option<&str>) -> PyResult<Path> {
    let path = name.map_or_else(|| Some(Path::best()), Path::named);
    path.ok_or_else(|| PyValueError::new_err("there is no path of that name here"))
}

/// `RAYON_NUM_THREADS` if it is a number above 0, else the processors this process may use; read once.
fn threads_by_default() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let asked = env::var("RAYON_NUM_THREADS").ok();
        let asked = asked.and_then(|number| number.parse().ok());
        let here = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        asked.filter(|&number| number > 0).unwrap_or_else(here)
    })
}
