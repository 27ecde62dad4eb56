;; A tool for Portcullis, written out: what any language must come to. `wasm-tools parse tool.wat -o tool.wasm` makes the
;; component. It has one tool, `ping`, which answers `pong`.
(component
  (core module $tool
    (memory (export "memory") 1)
    (data (i32.const 64)
      "{\"tools\":[{\"name\":\"ping\",\"description\":\"Gets a pong.\",\"inputSchema\":{\"type\":\"object\",\"additionalProperties\":false},\"annotations\":{\"readOnlyHint\":true}}]}")
    (data (i32.const 512) "{\"content\":[{\"type\":\"text\",\"text\":\"pong\"}]}")

    ;; The host asks for room for the arguments: everything from 1024 on, handed out once.
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
      (local $place i32)
      (local.set $place (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $place) (local.get $size)))
      (block $fits
        (loop $grow
          (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $grow)))
      (local.get $place))

    ;; A string is returned by where its address and its length stand.
    (func (export "describe") (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 153))
      (i32.const 0))

    ;; A result is returned by where its discriminant stands (0 is `ok`), followed by its string.
    (func (export "call") (param $name i32) (param $name_len i32) (param $args i32) (param $args_len i32) (result i32)
      (i32.store (i32.const 16) (i32.const 0))
      (i32.store (i32.const 20) (i32.const 512))
      (i32.store (i32.const 24) (i32.const 43))
      (i32.const 16)))

  (core instance $i (instantiate $tool))
  (type $tool-error' (variant (case "invalid-arguments" string) (case "failed" string)))
  (export $tool-error "tool-error" (type $tool-error'))
  (func (export "describe") (result string)
    (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
  (func (export "call") (param "name" string) (param "arguments" string) (result (result string (error $tool-error)))
    (canon lift (core func $i "call") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
