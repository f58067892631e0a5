// Asynchronous copies by 64 threads. Tests change lines that end with a comment.
llvm.mlir.global internal @stages() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<2048 x i8>

// Copies two stages of 64 x 16 bytes, each in a group; then each thread stores
// what the thread of the other warp has copied: first of stage 0, then of 1.
llvm.func @copy(%in: !llvm.ptr, %out: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 64, 1, 1>} {
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %c32 = llvm.mlir.constant(32 : i32) : i32
  %c256 = llvm.mlir.constant(256 : i32) : i32
  %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
  %source = llvm.addrspacecast %in : !llvm.ptr to !llvm.ptr<1>
  %t = nvvm.read.ptx.sreg.tid.x : i32
  %at0 = llvm.mul %t, %c4 : i32
  %at1 = llvm.add %at0, %c256 : i32
  %from0 = llvm.getelementptr %source[%at0] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %from1 = llvm.getelementptr %source[%at1] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %mine0 = llvm.getelementptr %stages[%at0] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %mine1 = llvm.getelementptr %stages[%at1] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %o = llvm.xor %t, %c32 : i32
  %theirs0 = llvm.mul %o, %c4 : i32
  %theirs1 = llvm.add %theirs0, %c256 : i32
  %other0 = llvm.getelementptr %stages[%theirs0] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %other1 = llvm.getelementptr %stages[%theirs1] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %to0 = llvm.getelementptr %out[%at0] : (!llvm.ptr, i32) -> !llvm.ptr, i32
  %to1 = llvm.getelementptr %out[%at1] : (!llvm.ptr, i32) -> !llvm.ptr, i32

  nvvm.cp.async.shared.global %mine0, %from0, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1> // first copy
  nvvm.cp.async.commit.group // first commit
  nvvm.cp.async.shared.global %mine1, %from1, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1> // second copy
  nvvm.cp.async.commit.group // second commit
  nvvm.cp.async.wait.group 1 // first wait
  nvvm.barrier0 // first barrier
  %x0 = llvm.load %other0 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32> // first read
  llvm.store %x0, %to0 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
  nvvm.cp.async.wait.group 0 // second wait
  nvvm.barrier0 // second barrier
  %x1 = llvm.load %other1 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  llvm.store %x1, %to1 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
  llvm.return
}

// Copies 0, 4, 8, 12 or 16 bytes of 16, and after them 8 and 4 bytes; the rest
// of 32 bytes for each thread is zero.
llvm.func @sizes(%in: !llvm.ptr, %out: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 64, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %c5 = llvm.mlir.constant(5 : i32) : i32
  %c8 = llvm.mlir.constant(8 : i32) : i32
  %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
  %source = llvm.addrspacecast %in : !llvm.ptr to !llvm.ptr<1>
  %t = nvvm.read.ptx.sreg.tid.x : i32
  %at = llvm.mul %t, %c8 : i32
  %words = llvm.urem %t, %c5 : i32
  %bytes = llvm.mul %words, %c4 : i32
  %from = llvm.getelementptr %source[%at] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %from4 = llvm.getelementptr %from[4] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
  %from6 = llvm.getelementptr %from[6] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32
  %mine = llvm.getelementptr %stages[%at] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %mine4 = llvm.getelementptr %mine[4] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i32
  %mine6 = llvm.getelementptr %mine[6] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i32
  %mine7 = llvm.getelementptr %mine[7] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i32
  nvvm.cp.async.shared.global %mine, %from, 16, cache = cg, %bytes : !llvm.ptr<3>, !llvm.ptr<1>, i32 // partial
  nvvm.cp.async.shared.global %mine4, %from4, 8, cache = ca : !llvm.ptr<3>, !llvm.ptr<1> // 8 bytes
  nvvm.cp.async.shared.global %mine6, %from6, 4, cache = ca : !llvm.ptr<3>, !llvm.ptr<1>
  llvm.store %zero, %mine7 : i32, !llvm.ptr<3>
  nvvm.cp.async.commit.group
  nvvm.cp.async.wait.group 0
  %x = llvm.load %mine {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  %y = llvm.load %mine4 {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  %to = llvm.getelementptr %out[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i32
  %to4 = llvm.getelementptr %to[4] : (!llvm.ptr) -> !llvm.ptr, i32
  llvm.store %x, %to {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
  llvm.store %y, %to4 {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr
  llvm.return
}

// Reads a stage; then copies into it, with a barrier between.
llvm.func @reuse(%in: !llvm.ptr, %out: !llvm.ptr) attributes {nvvm.kernel, nvvm.maxntid = array<i32: 64, 1, 1>} {
  %c4 = llvm.mlir.constant(4 : i32) : i32
  %c32 = llvm.mlir.constant(32 : i32) : i32
  %stages = llvm.mlir.addressof @stages : !llvm.ptr<3>
  %source = llvm.addrspacecast %in : !llvm.ptr to !llvm.ptr<1>
  %t = nvvm.read.ptx.sreg.tid.x : i32
  %at = llvm.mul %t, %c4 : i32
  %from = llvm.getelementptr %source[%at] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
  %mine = llvm.getelementptr %stages[%at] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %o = llvm.xor %t, %c32 : i32
  %theirs = llvm.mul %o, %c4 : i32
  %other = llvm.getelementptr %stages[%theirs] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i32
  %to = llvm.getelementptr %out[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i32
  llvm.store %t, %mine : i32, !llvm.ptr<3>
  nvvm.barrier0
  %x = llvm.load %other : !llvm.ptr<3> -> i32
  nvvm.barrier0 // between
  nvvm.cp.async.shared.global %mine, %from, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
  llvm.store %x, %to : i32, !llvm.ptr
  llvm.return
}
