// Kernels of clusters of two blocks: what they may do with the memory of each other. The first is right.
llvm.mlir.global internal @barrier() {addr_space = 3 : i32, alignment = 8 : i64} : !llvm.array<1 x i64>
llvm.func @right(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  llvm.cond_br %first, ^init, ^ready
^init:
  nvvm.mbarrier.init %own, %one : !llvm.ptr<3>, i32
  nvvm.fence.mbarrier.init
  llvm.br ^ready
^ready:
  nvvm.cluster.arrive.relaxed {aligned}
  nvvm.cluster.wait {aligned}
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  llvm.cond_br %first, ^arrive, ^end
^arrive:
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  nvvm.mbarrier.try_wait.parity %own, %zero, %ticks : !llvm.ptr<3>, i32, i32
  llvm.br ^end
^end:
  llvm.return
}
llvm.func @early_end(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  llvm.cond_br %first, ^init, ^ready
^init:
  nvvm.mbarrier.init %own, %one : !llvm.ptr<3>, i32
  nvvm.fence.mbarrier.init
  llvm.br ^ready
^ready:
  nvvm.cluster.arrive.relaxed {aligned}
  nvvm.cluster.wait {aligned}
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  llvm.cond_br %first, ^arrive, ^end
^arrive:
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  llvm.br ^end
^end:
  llvm.return
}
llvm.func @no_barrier(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  llvm.cond_br %first, ^init, ^ready
^init:
  nvvm.mbarrier.init %own, %one : !llvm.ptr<3>, i32
  nvvm.fence.mbarrier.init
  llvm.br ^ready
^ready:
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  llvm.cond_br %first, ^arrive, ^end
^arrive:
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  nvvm.mbarrier.try_wait.parity %own, %zero, %ticks : !llvm.ptr<3>, i32, i32
  llvm.br ^end
^end:
  llvm.return
}
llvm.func @no_fence(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  llvm.cond_br %first, ^init, ^ready
^init:
  nvvm.mbarrier.init %own, %one : !llvm.ptr<3>, i32
  llvm.br ^ready
^ready:
  nvvm.cluster.arrive {aligned}
  nvvm.cluster.wait {aligned}
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  llvm.cond_br %first, ^arrive, ^end
^arrive:
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  nvvm.mbarrier.try_wait.parity %own, %zero, %ticks : !llvm.ptr<3>, i32, i32
  llvm.br ^end
^end:
  llvm.return
}
llvm.func @no_mbarrier(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  nvvm.cluster.arrive.relaxed {aligned}
  nvvm.cluster.wait {aligned}
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  llvm.cond_br %first, ^arrive, ^end
^arrive:
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  nvvm.mbarrier.try_wait.parity %own, %zero, %ticks : !llvm.ptr<3>, i32, i32
  llvm.br ^end
^end:
  llvm.return
}
llvm.func @load(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  %word = llvm.load %there : !llvm.ptr<7> -> i32
  llvm.store %word, %out : i32, !llvm.ptr
  llvm.return
}
llvm.func @wait_there(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  llvm.cond_br %first, ^init, ^ready
^init:
  nvvm.mbarrier.init %own, %one : !llvm.ptr<3>, i32
  nvvm.fence.mbarrier.init
  llvm.br ^ready
^ready:
  nvvm.cluster.arrive.relaxed {aligned}
  nvvm.cluster.wait {aligned}
  %there = nvvm.mapa %own, %other : !llvm.ptr<3> -> !llvm.ptr<7>
  %generic = llvm.addrspacecast %there : !llvm.ptr<7> to !llvm.ptr
  nvvm.mbarrier.try_wait.parity %generic, %zero, %ticks : !llvm.ptr, i32, i32
  llvm.return
}
llvm.func @no_such_block(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  %zero = llvm.mlir.constant(0 : i32) : i32
  %one = llvm.mlir.constant(1 : i32) : i32
  %ticks = llvm.mlir.constant(1000 : i32) : i32
  %thread = nvvm.read.ptx.sreg.tid.x : i32
  %rank = nvvm.read.ptx.sreg.cluster.ctarank : i32
  %other = llvm.xor %rank, %one : i32
  %own = llvm.mlir.addressof @barrier : !llvm.ptr<3>
  %first = llvm.icmp "eq" %thread, %zero : i32
  %two = llvm.mlir.constant(2 : i32) : i32
  %there = nvvm.mapa %own, %two : !llvm.ptr<3> -> !llvm.ptr<7>
  nvvm.mbarrier.arrive %there : !llvm.ptr<7>
  llvm.return
}
llvm.func @arrive_twice(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  nvvm.cluster.arrive
  nvvm.cluster.arrive
  nvvm.cluster.wait
  llvm.return
}
llvm.func @wait_alone(%out: !llvm.ptr) attributes {nvvm.kernel, nvvm.cluster_dim = array<i32: 2, 1, 1>, nvvm.reqntid = array<i32: 128, 1, 1>} {
  nvvm.cluster.wait
  llvm.return
}
