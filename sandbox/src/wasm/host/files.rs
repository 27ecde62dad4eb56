//! `wasi:filesystem`, metered: each function that can make a folder grow takes from what the call may write.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynOutputStream, FsResult};

use super::State;
use crate::wasm::disk::NAME;

type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;
type Later<'a, T> = Box<dyn Future<Output = Answer<T>> + Send + 'a>;
type Store<'a> = StoreContextMut<'a, State>;
type File = Resource<Descriptor>;

const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// Replaces what can make a folder grow.
pub(super) fn meter(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap_async("[method]descriptor.open-at", open_at)?;
    types.func_wrap_async("[method]descriptor.create-directory-at", create_directory_at)?;
    types.func_wrap_async("[method]descriptor.symlink-at", symlink_at)?;
    types.func_wrap_async("[method]descriptor.link-at", link_at)?;
    types.func_wrap_async("[method]descriptor.set-size", set_size)?;
    types.func_wrap_async("[method]descriptor.write", write)?;
    types.func_wrap_async("[method]descriptor.write-via-stream", write_via_stream)?;
    types.func_wrap_async("[method]descriptor.append-via-stream", append_via_stream)?;
    linker.allow_shadowing(false);
    Ok(())
}

fn open_at(
    mut store: Store<'_>,
    (folder, path, name, how, flags): (File, PathFlags, String, OpenFlags, DescriptorFlags),
) -> Later<'_, File> {
    Box::new(async move {
        let state = store.data_mut();
        if how.contains(OpenFlags::CREATE)
            && let Err(full) = state.room.take(NAME)
        {
            return Ok((Err(full),));
        }
        answer(state.filesystem().open_at(folder, path, name, how, flags).await)
    })
}

fn create_directory_at(mut store: Store<'_>, (folder, name): (File, String)) -> Later<'_, ()> {
    Box::new(async move {
        let state = store.data_mut();
        match state.room.take(NAME) {
            Ok(()) => answer(state.filesystem().create_directory_at(folder, name).await),
            Err(full) => Ok((Err(full),)),
        }
    })
}

fn symlink_at(mut store: Store<'_>, (folder, to, name): (File, String, String)) -> Later<'_, ()> {
    Box::new(async move {
        let state = store.data_mut();
        match state.room.take(NAME) {
            Ok(()) => answer(state.filesystem().symlink_at(folder, to, name).await),
            Err(full) => Ok((Err(full),)),
        }
    })
}

fn link_at(mut store: Store<'_>, (from, path, old, to, new): (File, PathFlags, String, File, String)) -> Later<'_, ()> {
    Box::new(async move {
        let state = store.data_mut();
        match state.room.take(NAME) {
            Ok(()) => answer(state.filesystem().link_at(from, path, old, to, new).await),
            Err(full) => Ok((Err(full),)),
        }
    })
}

fn set_size(mut store: Store<'_>, (file, size): (File, u64)) -> Later<'_, ()> {
    Box::new(async move {
        let state = store.data_mut();
        match reach(state, &file, size).await? {
            Ok(()) => answer(state.filesystem().set_size(file, size).await),
            Err(full) => Ok((Err(full),)),
        }
    })
}

fn write(mut store: Store<'_>, (file, bytes, offset): (File, Vec<u8>, u64)) -> Later<'_, u64> {
    Box::new(async move {
        let state = store.data_mut();
        if let Err(full) = reach(state, &file, offset).await? {
            return Ok((Err(full),));
        }
        match state.room.take(bytes.len() as u64) {
            Ok(()) => answer(state.filesystem().write(file, bytes, offset).await),
            Err(full) => Ok((Err(full),)),
        }
    })
}

fn write_via_stream(mut store: Store<'_>, (file, offset): (File, u64)) -> Later<'_, Resource<DynOutputStream>> {
    Box::new(async move {
        let state = store.data_mut();
        if offset > 0
            && let Err(full) = reach(state, &file, offset).await?
        {
            return Ok((Err(full),));
        }
        let stream = state.filesystem().write_via_stream(file, offset);
        metered(state, stream)
    })
}

fn append_via_stream(mut store: Store<'_>, (file,): (File,)) -> Later<'_, Resource<DynOutputStream>> {
    Box::new(async move {
        let state = store.data_mut();
        let stream = state.filesystem().append_via_stream(file);
        metered(state, stream)
    })
}

/// Takes what lies between a file's end and this offset: a hole costs nothing until somebody copies it.
async fn reach(state: &mut State, file: &File, offset: u64) -> wasmtime::Result<Result<(), ErrorCode>> {
    // A descriptor that is no file, or no descriptor, fails in what is asked of it next.
    let size = match state.filesystem().stat(Resource::new_borrow(file.rep())).await {
        Ok(stat) => stat.size,
        Err(error) => return Ok(Err(error.downcast()?)),
    };
    Ok(state.room.take(offset.saturating_sub(size)))
}

fn metered(state: &mut State, stream: FsResult<Resource<DynOutputStream>>) -> Answer<Resource<DynOutputStream>> {
    let stream = match stream {
        Ok(stream) => state.table.delete(stream)?,
        Err(error) => return Ok((Err(error.downcast()?),)),
    };
    Ok((Ok(state.table.push(state.room.meter(stream))?),))
}

fn answer<T>(result: FsResult<T>) -> Answer<T> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}
