//===- Header.cpp - NAME.h, the C header of a compiled model --------------===//

#include "codegen/emit/Header.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace cornu::codegen {

namespace {

/// The text of runtime/include/cornu/model.h, put here by CMake.
constexpr llvm::StringLiteral modelHeaderText =
#include "ModelHeaderText.inc"
    ;

std::string bytes(uint64_t value) {
  return "((size_t)" + std::to_string(value) + "u)";
}

/// "float x[batch][28][28]"
std::string arrayOf(const ModelTensor &tensor) {
  std::string text = (cNameOf(tensor.dtype) + "[batch]").str();
  for (int64_t size : tensor.shape)
    text += "[" + std::to_string(size) + "]";
  return text;
}

/// A name inside a C comment or string.
std::string quoted(llvm::StringRef name) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '"';
  for (char c : name) {
    if (c == '"' || c == '\\' || c == '?')
      os << '\\' << c;
    else if (llvm::isPrint(c) || (c & 0x80))
      os << c;
    else
      os << llvm::formatv("\\{0}", llvm::utostr(uint8_t(c)));
  }
  os << '"';
  // A name that holds the end of a comment must not end it.
  for (size_t at; (at = text.find("*/")) != std::string::npos;)
    text.replace(at, 2, "*\\/");
  return text;
}

class HeaderWriter {
public:
  HeaderWriter(const ModelDescriptor &model, llvm::raw_ostream &os)
      : model(model), os(os), name(model.name),
        upper(llvm::StringRef(model.name).upper()),
        trains(!model.targets.empty()) {}

  void write() {
    writeIntroduction();
    os << "#ifndef " << upper << "_H\n#define " << upper << "_H\n\n"
       << modelHeaderText << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    writeSizes();
    writeTensors("INPUT", model.inputs);
    writeTensors("OUTPUT", model.outputs);
    writeTensors("TARGET", model.targets);
    writeMetrics();
    writeEntries();
    os << "#ifdef __cplusplus\n}\n#endif\n#endif /* " << upper << "_H */\n";
  }

private:
  void writeIntroduction() {
    os << "/* The Keras model \"" << name << "\", compiled by Cornu.\n *\n"
       << " *   #include \"" << name << ".h\"\n"
       << " *   static CORNU_BLOCK unsigned char state[" << upper
       << "_STATE_BYTES];\n"
       << " *   static CORNU_BLOCK unsigned char scratch[" << upper
       << "_PREDICT_SCRATCH_BYTES(1)];\n"
       << " *   ...\n"
       << " *   " << name << "_initialize(state, 42);\n"
       << " *   const void *inputs[] = {x};\n"
       << " *   void *outputs[] = {y};\n"
       << " *   int status = " << name
       << "_predict(state, inputs, 1, outputs, scratch);\n *\n"
       << " * Blocks start at multiples of CORNU_ALIGNMENT bytes. Nothing is "
          "allocated. Each\n"
       << " * function may run on several threads at once with separate "
          "scratch "
          "blocks, and\n"
       << " * with separate states if it changes the state. Status codes: "
          "CORNU_OK,\n"
       << " * CORNU_BAD_BATCH, CORNU_UNSUPPORTED_CPU.\n */\n";
  }

  void writeScratch(llvm::StringRef entry, const cornu_scratch &scratch) {
    // A larger batch is computed in parts.
    std::string samples = "(size_t)(batch)";
    if (scratch.most_samples)
      samples = llvm::formatv("((size_t)(batch) < {0} ? {1} : {0})",
                              bytes(scratch.most_samples), samples);
    os << llvm::formatv("#define {0}_{1}_SCRATCH_BYTES_FOR(batch, workers) \\\n"
                        "  ({2} + {3} * {5} + {4} * (size_t)(workers))\n"
                        "#define {0}_{1}_SCRATCH_BYTES(batch) "
                        "{0}_{1}_SCRATCH_BYTES_FOR(batch, 1)\n",
                        upper, entry, bytes(scratch.fixed),
                        bytes(scratch.per_sample), bytes(scratch.per_worker),
                        samples);
  }

  void writeSizes() {
    os << "/* Before the definition of a static block. */\n"
       << "#ifndef CORNU_BLOCK\n"
       << "#if defined(__cplusplus) && __cplusplus >= 201103L\n"
       << "#define CORNU_BLOCK alignas(CORNU_ALIGNMENT)\n"
       << "#elif defined(__GNUC__)\n"
       << "#define CORNU_BLOCK __attribute__((aligned(64)))\n"
       << "#else\n#define CORNU_BLOCK _Alignas(64)\n#endif\n#endif\n\n"
       << "/* The state block: all variables. */\n"
       << "#define " << upper << "_STATE_BYTES " << bytes(model.stateBytes)
       << "\n";
    if (trains)
      os << "/* The gradient block: the trainable variables, at the offsets of "
            "the state. */\n"
         << "#define " << upper << "_GRADIENT_BYTES "
         << bytes(model.gradientBytes) << "\n";
    os << "/* Scratch blocks for a batch: with the object alone, or with as "
          "many workers as\n"
       << " * cornu_worker_count() says. */\n";
    writeScratch("PREDICT", model.predictScratch);
    if (trains) {
      writeScratch("EVALUATE",
                   ModelDescriptor::withUnitWeights(model.evaluateScratch));
      writeScratch("TRAIN",
                   ModelDescriptor::withUnitWeights(model.trainScratch));
    }
    if (model.fixedBatch)
      os << "/* The only batch size it was compiled for. */\n#define " << upper
         << "_FIXED_BATCH " << model.fixedBatch << "\n";
    os << "\n";
  }

  void writeTensors(llvm::StringRef kind, llvm::ArrayRef<ModelTensor> tensors) {
    if (tensors.empty())
      return;
    os << "#define " << upper << "_NUM_" << kind << "S " << tensors.size()
       << "\n";
    for (auto [i, tensor] : llvm::enumerate(tensors)) {
      std::string prefix = (upper + "_" + kind + "_" + llvm::Twine(i)).str();
      os << "/* " << kind.lower() << "s[" << i << "]: " << arrayOf(tensor);
      if (tensor.upperBound)
        os << ", values from 0 to " << tensor.upperBound - 1;
      os << " */\n"
         << "#define " << prefix << "_NAME " << quoted(tensor.name) << "\n"
         << "#define " << prefix << "_DTYPE " << enumeratorOf(tensor.dtype)
         << "\n"
         << "#define " << prefix << "_RANK " << tensor.shape.size() << "\n"
         << "#define " << prefix << "_ELEMENTS " << tensor.elements()
         << " /* of one sample */\n";
      for (auto [axis, size] : llvm::enumerate(tensor.shape))
        os << "#define " << prefix << "_DIM_" << axis << " " << size << "\n";
    }
    os << "\n";
  }

  void writeMetrics() {
    if (model.metricNames.empty())
      return;
    os << "/* What evaluate_step and train_step report, in this order. */\n"
       << "#define " << upper << "_NUM_METRICS " << model.metricNames.size()
       << "\n";
    for (auto [i, metric] : llvm::enumerate(model.metricNames))
      os << "#define " << upper << "_METRIC_" << i << "_NAME " << quoted(metric)
         << "\n";
    os << "\n";
  }

  void writeEntries() {
    os << "/* Everything below in one constant: variables with their offsets, "
          "layers. */\n"
       << "extern const cornu_model " << name << "_model;\n\n"
       << "/* Fills the state: the weights the model came with, or its "
          "initializers with the\n * seed. */\n"
       << "int " << name << "_initialize(void *state, uint64_t seed);\n\n"
       << "/* outputs[i] receives batch samples. The state does not change. "
          "*/\n"
       << "int " << name
       << "_predict(const void *state, const void *const *inputs, int64_t "
          "batch,\n                void *const *outputs, void *scratch);\n\n";
    if (!trains)
      return;
    os << "/* Zeroes the sums of the metrics: at the start of an epoch. */\n"
       << "int " << name << "_reset_metrics(void *state);\n\n"
       << "/* Adds a batch to the sums of the metrics. targets: "
       << model.targets.size() << " arrays of true values,\n * then "
       << model.targets.size()
       << " arrays of batch floats, the sample weights, each of which may be "
          "null.\n * metrics: null, or receives the running results. */\n"
       << "int " << name
       << "_evaluate_step(void *state, const void *const *inputs,\n"
          "    const void *const *targets, int64_t batch, float *metrics, void "
          "*scratch);\n\n"
       << "/* As evaluate_step, and changes the weights by one step of the "
          "optimizer. */\n"
       << "int " << name
       << "_train_step(void *state, const void *const *inputs,\n"
          "    const void *const *targets, int64_t batch, float *metrics, void "
          "*scratch);\n\n"
       << "/* The two halves of train_step, for gradients summed over several "
          "machines.\n * Both take scratch blocks of train_step. */\n"
       << "int " << name
       << "_gradients(void *state, const void *const *inputs,\n"
          "    const void *const *targets, int64_t batch, void *gradients,\n"
          "    float *metrics, void *scratch);\n"
       << "int " << name
       << "_apply_gradients(void *state, const void *gradients, void "
          "*scratch);\n\n"
       << "/* The current results of the metrics; a scratch block of "
          "evaluate_step. */\n"
       << "int " << name
       << "_metric_results(const void *state, float *metrics, void "
          "*scratch);\n\n";
  }

  const ModelDescriptor &model;
  llvm::raw_ostream &os;
  std::string name, upper;
  bool trains;
};

} // namespace

void writeHeader(const ModelDescriptor &model, llvm::raw_ostream &os) {
  HeaderWriter(model, os).write();
}

std::string toCIdentifier(llvm::StringRef text) {
  std::string name;
  for (char c : text)
    name.push_back(llvm::isAlnum(c) ? c : '_');
  if (name.empty() || llvm::isDigit(name.front()))
    name = "model_" + name;
  return name;
}

} // namespace cornu::codegen
