//===- Info.cpp - NAME info -----------------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/host/Commands.h"
#include "runtime/host/Json.h"
#include "runtime/host/ThreadPool.h"

namespace cornu::runtime {

namespace {
struct Parameters {
  uint64_t trainable = 0, frozen = 0, optimizer = 0;
};
} // namespace

static Parameters countParameters(const cornu_model &model) {
  Parameters counts;
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    uint64_t count = 0;
    elementCount(variable.shape, variable.rank, count);
    if (variable.kind == CORNU_TRAINABLE)
      counts.trainable += count;
    if (variable.kind == CORNU_NON_TRAINABLE)
      counts.frozen += count;
    if (variable.kind == CORNU_OPTIMIZER)
      counts.optimizer += count;
  }
  return counts;
}

static void appendTensors(String &text, const char *title,
                          const cornu_tensor *tensors, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    const cornu_tensor &tensor = tensors[i];
    text.appendFormat(
        "%-9s %s: %s %s", i ? "" : title, tensor.name, dtypeName(tensor.dtype),
        shapeText("N", tensor.shape, size_t(tensor.rank)).c_str());
    if (tensor.upper_bound > 0)
      text.appendFormat(", from 0 to %lld",
                        static_cast<long long>(tensor.upper_bound - 1));
    text += '\n';
  }
}

static void appendLayers(String &text, const cornu_model &model) {
  size_t widths[3] = {5, 12, 10};
  auto widen = [](size_t &width, size_t wanted) {
    width = wanted > width ? wanted : width;
  };
  for (int32_t i = 0; i < model.num_layers; ++i) {
    const cornu_layer &layer = model.layers[i];
    widen(widths[0], strlen(layer.name) + strlen(layer.class_name) + 3);
    widen(widths[1], strlen(layer.output_shape));
  }
  text.appendFormat("%-*s  %-*s  %*s\n", int(widths[0]), "layer",
                    int(widths[1]), "output shape", int(widths[2]),
                    "parameters");
  for (int32_t i = 0; i < model.num_layers; ++i) {
    const cornu_layer &layer = model.layers[i];
    text.appendFormat("%-*s  %-*s  %*lld\n", int(widths[0]),
                      format("%s (%s)", layer.name, layer.class_name).c_str(),
                      int(widths[1]), layer.output_shape, int(widths[2]),
                      static_cast<long long>(layer.parameters));
  }
}

static String scratchText(const cornu_scratch &scratch) {
  uint64_t one = 0, many = 0, workers = uint64_t(cornu_worker_count());
  scratchBytes(scratch, 1, workers, one);
  scratchBytes(scratch, 32, workers, many);
  return format("%s for 1 sample, %s for 32, with %llu thread%s",
                bytesText(one).c_str(), bytesText(many).c_str(),
                static_cast<unsigned long long>(workers),
                workers == 1 ? "" : "s");
}

static void printText(const cornu_model &model) {
  Parameters counts = countParameters(model);
  String text = format("model     %s\n", model.name);
  appendTensors(text, "inputs", model.inputs, model.num_inputs);
  appendTensors(text, "outputs", model.outputs, model.num_outputs);
  appendTensors(text, "targets", model.targets, model.num_targets);
  if (model.num_metrics) {
    Vector<String> names;
    for (int32_t i = 0; i < model.num_metrics; ++i)
      names.push_back(model.metric_names[i]);
    text.appendFormat("metrics   %s\n", join(names).c_str());
  }
  text += '\n';
  appendLayers(text, model);
  text.appendFormat(
      "\nparameters  %llu trainable, %llu not trainable, %llu of the "
      "optimizer\n",
      static_cast<unsigned long long>(counts.trainable),
      static_cast<unsigned long long>(counts.frozen),
      static_cast<unsigned long long>(counts.optimizer));
  text.appendFormat("state       %s\n", bytesText(model.state_bytes).c_str());
  text.appendFormat("predict     %s\n",
                    scratchText(model.predict_scratch).c_str());
  if (model.train_step)
    text.appendFormat("train       %s\n",
                      scratchText(model.train_scratch).c_str());
  else
    text += "train       not compiled (--inference-only)\n";
  if (model.fixed_batch)
    text.appendFormat("batch       %lld only\n",
                      static_cast<long long>(model.fixed_batch));
  text.appendFormat("compiled    %s\n", model.compiled);
  print(text);
}

static String jsonTensors(const cornu_tensor *tensors, int32_t count) {
  Vector<String> rows;
  for (int32_t i = 0; i < count; ++i) {
    Vector<String> sizes{"null"};
    for (int32_t d = 0; d < tensors[i].rank; ++d)
      sizes.push_back(
          format("%lld", static_cast<long long>(tensors[i].shape[d])));
    JsonObject row;
    row.add("name", tensors[i].name)
        .add("dtype", dtypeName(tensors[i].dtype))
        .addRaw("shape", format("[%s]", join(sizes).c_str()));
    if (tensors[i].upper_bound > 0)
      row.add("upper_bound", tensors[i].upper_bound);
    rows.push_back(row.text());
  }
  return format("[%s]", join(rows).c_str());
}

static String jsonScratch(const cornu_scratch &scratch) {
  return JsonObject()
      .add("fixed", int64_t(scratch.fixed))
      .add("per_sample", int64_t(scratch.per_sample))
      .add("per_worker", int64_t(scratch.per_worker))
      .add("most_samples", int64_t(scratch.most_samples))
      .text();
}

static void printJson(const cornu_model &model) {
  Parameters counts = countParameters(model);
  Vector<String> layers, metrics;
  for (int32_t i = 0; i < model.num_layers; ++i)
    layers.push_back(JsonObject()
                         .add("name", model.layers[i].name)
                         .add("class", model.layers[i].class_name)
                         .add("output_shape", model.layers[i].output_shape)
                         .add("parameters", model.layers[i].parameters)
                         .text());
  for (int32_t i = 0; i < model.num_metrics; ++i)
    metrics.push_back(jsonString(model.metric_names[i]));
  String line =
      JsonObject()
          .add("name", model.name)
          .addRaw("inputs", jsonTensors(model.inputs, model.num_inputs))
          .addRaw("outputs", jsonTensors(model.outputs, model.num_outputs))
          .addRaw("targets", jsonTensors(model.targets, model.num_targets))
          .addRaw("metrics", format("[%s]", join(metrics).c_str()))
          .addRaw("layers", format("[%s]", join(layers).c_str()))
          .add("trainable_parameters", int64_t(counts.trainable))
          .add("non_trainable_parameters", int64_t(counts.frozen))
          .add("optimizer_parameters", int64_t(counts.optimizer))
          .add("state_bytes", int64_t(model.state_bytes))
          .addRaw("predict_scratch", jsonScratch(model.predict_scratch))
          .addRaw("train_scratch", jsonScratch(model.train_scratch))
          .add("fixed_batch", model.fixed_batch)
          .addRaw("trains", model.train_step ? "true" : "false")
          .addRaw("compiled", model.compiled)
          .text();
  line += '\n';
  print(line);
}

Error infoCommand(const cornu_model &model, const Arguments &arguments) {
  if (arguments.has("--json"))
    printJson(model);
  else
    printText(model);
  return success();
}

} // namespace cornu::runtime
