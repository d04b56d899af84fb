//===- Plot.cpp - cornu plot ----------------------------------------------===//
//
// The graph of the layers, drawn from top to bottom: a layer stands one row
// below the lowest layer it reads; rows are ordered by the mean position of
// what they read (Sugiyama's barycenter method), a few sweeps down and up.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/OutputFile.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/Model.h"
#include "tools/cornu/Outputs.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <map>

namespace cornu::tools {

namespace {

struct Node {
  const frontend::LayerRow *layer = nullptr; // null: a bend of a long edge
  size_t row = 0;
  double order = 0;
  double x = 0, width = 0;
  std::vector<size_t> above, below;
};

constexpr double boxHeight = 44, rowGap = 40, columnGap = 24, margin = 20;
constexpr double letterWidth = 7.2;

class Graph {
public:
  explicit Graph(const frontend::ImportedModel &model) {
    std::map<std::string, size_t> byName;
    for (const frontend::LayerRow &layer : model.layers) {
      byName[layer.name] = nodes.size();
      nodes.emplace_back();
      nodes.back().layer = &layer;
    }
    size_t count = nodes.size();
    // Layers stand in topological order.
    for (size_t i = 0; i < count; ++i)
      for (const std::string &input : nodes[i].layer->inputs)
        if (auto it = byName.find(input); it != byName.end() && it->second < i)
          nodes[i].row = std::max(nodes[i].row, nodes[it->second].row + 1);
    for (size_t i = 0; i < count; ++i)
      for (const std::string &input : nodes[i].layer->inputs)
        if (auto it = byName.find(input); it != byName.end() && it->second < i)
          connect(it->second, i);
    place();
  }

  std::string draw(llvm::StringRef title) const;

private:
  /// An edge over several rows bends once in each: it gets a place of its own.
  void connect(size_t from, size_t to) {
    size_t at = from;
    for (size_t row = nodes[from].row + 1; row < nodes[to].row; ++row) {
      size_t bend = nodes.size();
      nodes.emplace_back();
      nodes[bend].row = row;
      link(at, bend);
      at = bend;
    }
    link(at, to);
  }
  void link(size_t from, size_t to) {
    nodes[from].below.push_back(to);
    nodes[to].above.push_back(from);
  }

  void place();

  std::vector<Node> nodes;
  std::vector<std::vector<size_t>> rows;
  double width = 0;
};

void Graph::place() {
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node &node = nodes[i];
    if (node.row >= rows.size())
      rows.resize(node.row + 1);
    node.order = rows[node.row].size();
    rows[node.row].push_back(i);
    if (node.layer) {
      size_t letters =
          std::max(node.layer->name.size() + node.layer->className.size() + 2,
                   shapeText(*node.layer).size());
      node.width = letters * letterWidth + 20;
    }
  }
  auto sweep = [&](bool down) {
    for (size_t r = 0; r < rows.size(); ++r) {
      auto &row = rows[down ? r : rows.size() - 1 - r];
      std::map<size_t, double> wish;
      for (size_t i : row) {
        const auto &neighbours = down ? nodes[i].above : nodes[i].below;
        double sum = 0;
        for (size_t n : neighbours)
          sum += nodes[n].order;
        wish[i] = neighbours.empty() ? nodes[i].order
                                     : sum / double(neighbours.size());
      }
      llvm::sort(row, [&](size_t a, size_t b) {
        return std::make_pair(wish[a], a) < std::make_pair(wish[b], b);
      });
      for (size_t k = 0; k < row.size(); ++k)
        nodes[row[k]].order = double(k);
    }
  };
  for (int i = 0; i < 4; ++i) {
    sweep(true);
    sweep(false);
  }
  sweep(true);
  // Rows are centered on the widest.
  std::vector<double> widths;
  for (const auto &row : rows) {
    double sum = -columnGap;
    for (size_t i : row)
      sum += nodes[i].width + columnGap;
    widths.push_back(sum);
    width = std::max(width, sum);
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    double x = margin + (width - widths[r]) / 2;
    for (size_t i : rows[r]) {
      nodes[i].x = x + nodes[i].width / 2;
      x += nodes[i].width + columnGap;
    }
  }
}

std::string escaped(llvm::StringRef text) {
  std::string result;
  for (char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

/// Layers that compute alike have one colour.
llvm::StringRef colourOf(llvm::StringRef className) {
  struct Family {
    llvm::StringLiteral part, colour;
  };
  constexpr Family families[] = {
      {"Input", "#e8e8e8"},     {"Conv", "#cfe3f7"},
      {"Dense", "#d8f0d0"},     {"Attention", "#f7dfcf"},
      {"LSTM", "#ecdcf7"},      {"GRU", "#ecdcf7"},
      {"RNN", "#ecdcf7"},       {"Bidirectional", "#ecdcf7"},
      {"Embedding", "#f7f0cf"}, {"Normalization", "#f7cfe0"},
      {"Pooling", "#cff2f2"},
  };
  for (const Family &family : families)
    if (className.contains(family.part))
      return family.colour;
  return "#ffffff";
}

std::string Graph::draw(llvm::StringRef title) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  double height = double(rows.size()) * (boxHeight + rowGap) - rowGap;
  os << llvm::formatv(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:f0}\" "
      "height=\"{1:f0}\" viewBox=\"0 0 {0:f0} {1:f0}\" "
      "font-family=\"ui-monospace, monospace\" font-size=\"12\">\n"
      "<title>{2}</title>\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
      "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
      "<path d=\"M0,0 L8,4 L0,8 z\" fill=\"#555\"/></marker></defs>\n",
      width + 2 * margin, std::max(height, 0.0) + 2 * margin, escaped(title));
  auto top = [](const Node &node) {
    return margin + double(node.row) * (boxHeight + rowGap);
  };
  for (const Node &node : nodes)
    for (size_t n : node.below) {
      const Node &next = nodes[n];
      double x0 = node.x, y0 = top(node) + boxHeight;
      double x1 = next.x, y1 = top(next), bend = rowGap / 2;
      if (!node.layer) // through the row of the bend
        os << llvm::formatv("<path d=\"M{0:f1},{1:f1} V{2:f1}\" fill=\"none\" "
                            "stroke=\"#555\"/>\n",
                            x0, top(node), y0);
      os << llvm::formatv(
          "<path d=\"M{0:f1},{1:f1} C{0:f1},{2:f1} {3:f1},{4:f1} "
          "{3:f1},{5:f1}\" fill=\"none\" stroke=\"#555\"{6}/>\n",
          x0, y0, y0 + bend, x1, y1 - bend, y1,
          next.layer ? " marker-end=\"url(#tip)\"" : "");
    }
  for (const Node &node : nodes) {
    if (!node.layer)
      continue;
    double y = top(node);
    os << llvm::formatv(
        "<g><rect x=\"{0:f1}\" y=\"{1:f1}\" width=\"{2:f1}\" "
        "height=\"{3:f0}\" rx=\"5\" fill=\"{4}\" stroke=\"#555\"/>"
        "<text x=\"{5:f1}\" y=\"{6:f1}\" text-anchor=\"middle\">{7} "
        "<tspan font-weight=\"bold\">{8}</tspan></text>"
        "<text x=\"{5:f1}\" y=\"{9:f1}\" text-anchor=\"middle\" "
        "fill=\"#444\">{10}</text></g>\n",
        node.x - node.width / 2, y, node.width, boxHeight,
        colourOf(node.layer->className), node.x, y + 18,
        escaped(node.layer->name), escaped(node.layer->className), y + 35,
        escaped(shapeText(*node.layer)));
  }
  os << "</svg>\n";
  return text;
}

int plot(const Arguments &arguments) {
  std::optional<std::string> source = modelPath(arguments);
  if (!source)
    return 1;
  std::string path = arguments.value("-o").str();
  if (path.empty())
    path = llvm::sys::path::stem(*source).str() + ".svg";
  llvm::StringRef extension = llvm::sys::path::extension(path);
  bool html = extension == ".html" || extension == ".htm";
  if (!html && extension != ".svg" && path != "-") {
    printError("'" + path + "': a plot is an .svg or an .html file");
    return 1;
  }
  if (!keepsInputs(
          "output", path,
          {{"model", *source}, {"weights file", arguments.value("--weights")}}))
    return 1;
  auto context = makeContext();
  DiagnosticPrinter printer(*context, *source);
  frontend::ImportOptions import;
  import.inferenceOnly = true;
  auto model = loadModel(*context, arguments, import);
  if (!model)
    return 1;
  std::string text = Graph(*model).draw(model->name);
  if (html)
    text = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" +
           escaped(model->name) + "</title></head>\n<body>\n<h1>" +
           escaped(model->name) + "</h1>\n" + text + "</body></html>\n";
  if (llvm::Error error = codegen::writeFile(path, text)) {
    printError(llvm::toString(std::move(error)));
    return 1;
  }
  return 0;
}

constexpr Option options[] = {
    {"-o", "FILE", "The .svg or .html file to write"},
    {"--weights", "FILE", "Weights of a .json model"},
};

} // namespace

const Command plotCommand = {"plot",
                             "MODEL -o FILE.svg|FILE.html",
                             "Draws the graph of the layers.",
                             "  cornu plot model.keras -o model.svg",
                             options,
                             plot};

} // namespace cornu::tools
