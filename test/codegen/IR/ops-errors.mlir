// RUN: cornu-opt %s -split-input-file -verify-diagnostics

func.func @nested(%count: index) {
  codegen.parallel (%task, %worker) to %count {
    // expected-error@+1 {{must not stand inside another codegen.parallel}}
    codegen.parallel (%t, %w) to %count {
    }
  }
  return
}

// -----

func.func @arguments(%count: index) {
  // expected-error@+1 {{region must have two index arguments, the task and the worker}}
  "codegen.parallel"(%count) ({
  ^bb0(%task: index):
  }) : (index) -> ()
  return
}
