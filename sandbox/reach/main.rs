//! `reach tcp:A.B.C.D:PORT udp:A.B.C.D:PORT …`: asks whoever is there, and says whether anybody answered. `portcullis doctor`
//! starts it in a sandbox that was granted nothing.
//!
//! It needs neither libc nor loader, so that the same few kilobytes run in an empty container, in a jail and on gVisor.
#![no_builtins]
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {main}", "ud2", main = sym main);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {main}", "brk #1", main = sym main);

/// Numbers of system calls.
#[cfg(target_arch = "x86_64")]
mod call {
    pub const WRITE: usize = 1;
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const SEND: usize = 44;
    pub const RECEIVE: usize = 45;
    pub const EXIT: usize = 231;
    pub const POLL: usize = 271;
}
#[cfg(target_arch = "aarch64")]
mod call {
    pub const WRITE: usize = 64;
    pub const SOCKET: usize = 198;
    pub const CONNECT: usize = 203;
    pub const SEND: usize = 206;
    pub const RECEIVE: usize = 207;
    pub const EXIT: usize = 94;
    pub const POLL: usize = 73;
}

const INET: usize = 2;
const STREAM: usize = 1;
const DATAGRAM: usize = 2;
const NONBLOCK: usize = 0o4000;
const NOSIGNAL: usize = 0x4000;
const READABLE: i16 = 1;
const WRITABLE: i16 = 4;
/// Seconds that anybody has to answer.
const PATIENCE: i64 = 1;

#[repr(C)]
struct Address {
    family: u16,
    port: [u8; 2],
    host: [u8; 4],
    zero: [u8; 8],
}

#[repr(C)]
struct Poll {
    socket: i32,
    events: i16,
    found: i16,
}

/// SAFETY: the kernel starts a program with its arguments' number, then their addresses, on the stack.
unsafe extern "C" fn main(stack: *const usize) -> ! {
    let count = unsafe { *stack };
    let mut at = 2;
    while at <= count {
        let argument = unsafe { *stack.add(at) } as *const u8;
        unsafe { tell(argument) };
        at += 1;
    }
    unsafe { system(call::EXIT, [0; 6]) };
    loop {}
}

unsafe fn tell(argument: *const u8) {
    let mut length = 0;
    while unsafe { *argument.add(length) } != 0 {
        length += 1;
    }
    let answered = unsafe { reach(argument) };
    let said: &[u8] = if answered { b" answered\n" } else { b" nobody\n" };
    unsafe { system(call::WRITE, [1, argument as usize, length, 0, 0, 0]) };
    unsafe { system(call::WRITE, [1, said.as_ptr() as usize, said.len(), 0, 0, 0]) };
}

unsafe fn reach(argument: *const u8) -> bool {
    let datagram = unsafe { *argument } == b'u';
    let address = unsafe { parse(argument.add(4)) };
    let kind = if datagram { DATAGRAM } else { STREAM } | NONBLOCK;
    let socket = unsafe { system(call::SOCKET, [INET, kind, 0, 0, 0, 0]) };
    if socket < 0 {
        return false;
    }
    let socket = socket as usize;
    unsafe { system(call::CONNECT, [socket, &raw const address as usize, 16, 0, 0, 0]) };
    let asked = b"reach\n";
    if unsafe { ready(socket, WRITABLE) } {
        unsafe { system(call::SEND, [socket, asked.as_ptr() as usize, asked.len(), NOSIGNAL, 0, 0]) };
    }
    let mut answer = [0_u8; 16];
    let there = unsafe { ready(socket, READABLE) };
    there && (unsafe { system(call::RECEIVE, [socket, answer.as_mut_ptr() as usize, answer.len(), 0, 0, 0]) } > 0)
}

unsafe fn ready(socket: usize, events: i16) -> bool {
    let mut poll = Poll { socket: socket as i32, events, found: 0 };
    let time = [PATIENCE, 0_i64];
    unsafe { system(call::POLL, [&raw mut poll as usize, 1, time.as_ptr() as usize, 0, 8, 0]) > 0 }
}

/// `A.B.C.D:PORT`, as its caller writes it.
unsafe fn parse(mut text: *const u8) -> Address {
    let mut address = Address { family: INET as u16, port: [0; 2], host: [0; 4], zero: [0; 8] };
    let (mut part, mut number) = (0, 0_u16);
    loop {
        match unsafe { *text } {
            digit @ b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(u16::from(digit - b'0')),
            0 => break,
            _ => {
                if let Some(byte) = address.host.get_mut(part) {
                    *byte = number as u8;
                }
                (part, number) = (part + 1, 0);
            }
        }
        text = unsafe { text.add(1) };
    }
    address.port = number.to_be_bytes();
    address
}

#[cfg(target_arch = "x86_64")]
unsafe fn system(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _);
    }
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn system(number: usize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result: isize;
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
            in("x5") f);
    }
    result
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe { system(call::EXIT, [1, 0, 0, 0, 0, 0]) };
    loop {}
}
