//===- Codegen.td - Decisions and grids of generated kernels --------------===//
//
// The `codegen` dialect carries what the schedule needs to know and MLIR's own
// dialects cannot say: the decisions of the strategy (attributes on linalg
// ops) and the grid of tasks that a kernel runs on (ops).
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_IR_CODEGEN_TD
#define CORNU_CODEGEN_IR_CODEGEN_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Codegen_Dialect : Dialect {
  let name = "codegen";
  let cppNamespace = "::cornu::codegen";
  let summary = "Decisions and task grids of generated kernels";
  let description = [{
    `codegen-strategy` decides: it writes `#codegen.contraction` or
    `#codegen.nest` as the attribute `codegen.strategy` of a linalg op.
    `codegen-schedule` applies: it reads the attribute and nothing else, and
    replaces the op with loops over vectors inside a `codegen.parallel` grid.

    ```mlir
    func.func private @kernel(%x: memref<?x64xf32>, %y: memref<?x64xf32>,
                              %workspace: memref<?xi8>) {
      ...
      codegen.parallel (%task, %worker) to %count if %large {
        %bytes = codegen.worker_workspace %worker : memref<?xi8>
        ...
      }
      return
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
  let extraClassDeclaration = [{
    /// The attribute on a linalg op that holds its strategy.
    static constexpr llvm::StringLiteral kStrategyAttr = "codegen.strategy";
    /// The attribute on a kernel function: an array of the strategies of its
    /// ops, which is there when the ops have become loops.
    static constexpr llvm::StringLiteral kStrategiesAttr = "codegen.strategies";
    /// The attribute on a kernel function: strategies that its ops shall have
    /// instead of the defaults, and a text that says where they are from:
    /// {from = "FILE: /kernels/0", strategies = [...]}.
    static constexpr llvm::StringLiteral kGivenAttr = "codegen.given";
    /// The attribute on a kernel function: bytes of workspace it needs, per
    /// worker (an i64). Absent: none.
    static constexpr llvm::StringLiteral kWorkspaceAttr = "codegen.workspace";
    /// The attribute on a kernel function: bytes of workspace that its tasks
    /// share (an i64). Absent: none.
    static constexpr llvm::StringLiteral kSharedWorkspaceAttr =
        "codegen.shared_workspace";
  }];
}

//===----------------------------------------------------------------------===//
// Strategies
//===----------------------------------------------------------------------===//

class Codegen_Attr<string name, string attrMnemonic> :
    AttrDef<Codegen_Dialect, name> {
  let mnemonic = attrMnemonic;
  let assemblyFormat = "`<` struct(params) `>`";
}

def Codegen_WinogradAttr : Codegen_Attr<"Winograd", "winograd"> {
  let summary = "Minimal filtering of a convolution";
  let description = [{
    Squares of `side` x `side` points of the output, or of the output's
    gradient where a gradient for the kernel is computed, take part in as few
    products as S. Winograd's method allows; a side of the window is cut into
    parts of at most `taps`. A task transforms `squares` of them at a time.
    With fewer than `from` squares in all, the nest without transforms runs.

    A gradient for the kernel is a sum over all squares: it has at most `sums`
    partial ones, and a task computes one of them for `channels` x `lanes`
    of the kernel. For other convolutions `channels` is 0, and tasks of few
    squares, which would each read all of the kernel, are for `lanes` of it (0:
    for all).

    Where `transformed`, the right operand is the kernel's transform already,
    and there is no other nest: `from` is 0.

    ```mlir
    #codegen.winograd<side = 2, taps = 3, squares = 64, from = 32, sums = 4,
                      channels = 64, lanes = 64>
    ```
  }];
  let parameters = (ins "int64_t":$side, "int64_t":$taps, "int64_t":$squares,
                        "int64_t":$from,
                        DefaultValuedParameter<"int64_t", "1">:$sums,
                        DefaultValuedParameter<"int64_t", "0">:$channels,
                        DefaultValuedParameter<"int64_t", "0">:$lanes,
                        DefaultValuedParameter<"bool", "false">:$transformed);
}

def Codegen_ContractionAttr : Codegen_Attr<"Contraction", "contraction"> {
  let summary = "Blocking of a contraction or convolution";
  let description = [{
    A register tile of `mr` rows x `nr` lanes runs over blocks of about `kc`
    steps of the reduction; a task covers about `mc` rows and `nc` lanes.

      * `copy_left`, `copy_right`: the block's region of that operand is copied
        to the workspace first (where it is padded or computed by a producer,
        it is in any case);
      * `pack_right`: the right operand is repacked in panels of `nr` lanes;
      * `flatten_rows`: a tile may span several rows loops, with an address of
        its own for each row; else it stays within the innermost one;
      * `along_reduction`: accumulators run along the reduction, where the left
        operand is contiguous along it, and are summed up at its end: for few
        rows or lanes. A right operand that is not contiguous likewise is
        packed, lane by lane;
      * `single_row_nr`: where the number of rows is known at run time only, a
        second version for one row has tiles of so many lanes and packs
        nothing (0: no such version);
      * `serial`: a kernel of fewer multiply-adds runs without the pool;
      * `panels`: the right operand lies in panels of so many lanes already
        (0: as its type says): a row-major matrix [R][N] whose columns are the
        lanes, as matrices [R][panels] one after another, the last with what
        is left of N. `nr` and `single_row_nr` are multiples of it;
      * `output_panels`: the output lies likewise, in panels that `nr` divides;
      * `winograd`: a version by minimal filtering.

    ```mlir
    #codegen.contraction<mr = 6, nr = 16, mc = 144, nc = 512, kc = 256,
                         copy_left = false, copy_right = false,
                         pack_right = true, flatten_rows = false,
                         along_reduction = false, single_row_nr = 64,
                         serial = 200000, panels = 0,
                         output_panels = 0>
    ```
  }];
  let parameters = (ins "int64_t":$mr, "int64_t":$nr, "int64_t":$mc,
                        "int64_t":$nc, "int64_t":$kc, "bool":$copy_left,
                        "bool":$copy_right, "bool":$pack_right,
                        "bool":$flatten_rows, "bool":$along_reduction,
                        "int64_t":$single_row_nr, "int64_t":$serial,
                        DefaultValuedParameter<"int64_t", "0">:$panels,
                        DefaultValuedParameter<"int64_t", "0">:$output_panels,
                        OptionalParameter<"::cornu::codegen::WinogradAttr">:$winograd);
}

def Codegen_NestKind : I32EnumAttr<"NestKind", "how a nest treats its outputs",
    [I32EnumAttrCase<"Map", 0, "map">,
     I32EnumAttrCase<"Reduce", 1, "reduce">,
     I32EnumAttrCase<"Fold", 2, "fold">,
     I32EnumAttrCase<"Update", 3, "update">,
     I32EnumAttrCase<"Epilogue", 4, "epilogue">]> {
  let cppNamespace = "::cornu::codegen";
  let genSpecializedAttr = 0;
}

def Codegen_NestAttr : Codegen_Attr<"Nest", "nest"> {
  let summary = "Blocking of a nest that is not a contraction";
  let description = [{
    `kind` says how outputs are made:
      * `map`: each point stores its results; no reduction;
      * `reduce`: the lane is a parallel loop; accumulators of
        `tile` x `vectors` vectors stay in registers over the reduction loops
        (column reductions, pooling, depthwise convolution);
      * `fold`: the lane is a reduction loop; `vectors` vector accumulators
        hide the latency, a horizontal reduction ends them (row and full
        reductions);
      * `update`: each point reads, combines and writes its outputs in place
        (points that write to the same elements: no op of nn is lowered so);
      * `epilogue`: computed in registers by the nest before it.

    `lane` is the loop that runs along the `width` lanes of a vector, or -1
    for scalar code. Where rows are short, its iterations take the last `run`
    parallel loops whole with them: 4 pixels of 3 channels are 12 lanes.
    `tile_loop` is the second parallel loop of the register tile (or -1),
    `tile` its iterations in registers. `rows` is the number of
    leading loops that this nest shares with its neighbours in the same kernel
    (which have the same `group`); they become the grid, cut into tasks of
    about `grain` points. A grid of fewer than `serial` points runs without
    the pool.

    ```mlir
    #codegen.nest<kind = reduce, lane = 3, width = 8, vectors = 2,
                  tile_loop = 2, tile = 4, rows = 2, group = 0,
                  grain = 32768, serial = 65536>
    ```
  }];
  let parameters = (ins EnumParameter<Codegen_NestKind>:$kind, "int64_t":$lane,
                        DefaultValuedParameter<"int64_t", "0">:$run,
                        "int64_t":$width, "int64_t":$vectors,
                        "int64_t":$tile_loop, "int64_t":$tile,
                        "int64_t":$rows, "int64_t":$group, "int64_t":$grain,
                        "int64_t":$serial);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

class Codegen_Op<string mnemonic, list<Trait> traits = []> :
    Op<Codegen_Dialect, mnemonic, traits>;

def Codegen_ParallelOp : Codegen_Op<"parallel",
    [SingleBlock, NoTerminator, AutomaticAllocationScope,
     RecursiveMemoryEffects]> {
  let summary = "A grid of independent tasks";
  let description = [{
    Runs the region once for each task index in [0, `count`), in any order, on
    any worker: the second region argument is the worker that runs the task,
    in [0, cornu_worker_count()). Where `condition` is given and false, the
    tasks run one after another on the calling thread as worker 0, without a
    call of the runtime. `count` follows from shapes alone, never from the
    number of workers, so that results are the same for any number of them.

    Not nested: a task has no tasks. It may stand in a sequential loop.

    ```mlir
    codegen.parallel (%task, %worker) to %count if %large {
      ...
    }
    ```
  }];
  let arguments = (ins Index:$count, Optional<I1>:$condition);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [
    // Without a condition the grid is always offered to the pool. The body
    // builder gets the task's index and the worker's.
    OpBuilder<(ins "::mlir::Value":$count, "::mlir::Value":$condition,
      "::llvm::function_ref<void(::mlir::OpBuilder &, ::mlir::Location, "
      "::mlir::Value, ::mlir::Value)>":$body)>
  ];
  let extraClassDeclaration = [{
    ::mlir::Block *getBodyBlock() { return &getBody().front(); }
    ::mlir::BlockArgument getTask() { return getBodyBlock()->getArgument(0); }
    ::mlir::BlockArgument getWorker() { return getBodyBlock()->getArgument(1); }
  }];
}

def Codegen_WorkerWorkspaceOp : Codegen_Op<"worker_workspace", [Pure]> {
  let summary = "Bytes that belong to the current worker";
  let description = [{
    The bytes [S + w*W, S + (w+1)*W) of the kernel's workspace, its function's
    last argument; W is the largest `codegen.workspace` of the module's kernels
    and S the largest `codegen.shared_workspace`, both known after scheduling,
    so the lowering fills them in. Starts at a multiple of 64 bytes; contents
    are undefined at the start of a task.
  }];
  let arguments = (ins Index:$worker);
  let results = (outs MemRefRankOf<[I8], [1]>:$bytes);
  let assemblyFormat = "$worker attr-dict `:` type($bytes)";
}

def Codegen_KernelWorkspaceOp : Codegen_Op<"kernel_workspace", [Pure]> {
  let summary = "Bytes that all tasks of a kernel share";
  let description = [{
    The first `codegen.shared_workspace` bytes of the kernel's workspace: what
    the tasks of one grid leave for the code after it, partial results or
    weights in another form.
  }];
  let results = (outs MemRefRankOf<[I8], [1]>:$bytes);
  let assemblyFormat = "attr-dict `:` type($bytes)";
}

#endif
