#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// summary: a table of a network's blocks and layers with shapes, parameters, multiply-adds and bytes.

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/report/layer_rows.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// `25549416` as `25,549,416`.
inline std::string with_commas(long number) {
    std::string digits = std::to_string(number);
    for (int at = static_cast<int>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
        digits.insert(index(at), 1, ',');
    return digits;
}

/// Rows of texts as a table: the first two columns flush left, the others flush right, each as wide as its widest text.
inline std::string text_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    std::string text;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        std::string line;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            const std::string space(widths[i] - rows[r][i].size(), ' ');
            line += (i > 0 ? "  " : "") + (i < 2 ? rows[r][i] + space : space + rows[r][i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
        if (r == 0) {
            std::size_t all = 2 * (widths.size() - 1);
            for (const std::size_t width : widths) all += width;
            text += std::string(all, '-') + "\n";
        }
    }
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// Rows of a network as JSON: `{"layers": [{"name", "depth", "kind", "output", ...}, ...], "total": {...}}`, a layer
/// after the scopes that contain it.
template <class Once = void>
std::string to_json(std::span<const LayerRow> rows) {
    const auto facts = [](const LayerRow& row) {
        return "\"parameters\":" + std::to_string(row.parameters) + ",\"frozen\":" + std::to_string(row.frozen) +
               ",\"statistics\":" + std::to_string(row.statistics) +
               ",\"multiply_adds\":" + std::to_string(row.multiply_adds) +
               ",\"parameter_bytes\":" + std::to_string(row.parameter_bytes()) +
               ",\"output_bytes\":" + std::to_string(row.output_bytes) + "}";
    };
    std::string text = "{\"layers\":[";
    for (const LayerRow& row : rows) {
        text += (&row == rows.data() ? "\n" : ",\n");
        text += R"({"name":")" + row.name + R"(","depth":)" + std::to_string(row.depth) + R"(,"kind":")" + row.kind +
                R"(","output":)" + to_string(row.output) + ",";
        text += facts(row);
    }
    return text + "\n],\"total\":{" + facts(detail::total_of(rows)) + "}\n";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports

inline namespace TENON_ISA_NAMESPACE {

/// The table of a program; the same code for all networks.
inline std::string summary(std::span<const detail::Op> ops, std::span<const detail::LayerInfo> layers,
                           std::span<const detail::Parameter> parameters) {
    const std::vector<reports::LayerRow> rows = detail::layer_rows(ops, layers, parameters);
    const auto number = [](long count) { return count == 0 ? std::string() : detail::with_commas(count); };
    const auto kib = [](long bytes) { return detail::with_commas((bytes + 1023) / 1024); };
    std::vector<std::vector<std::string>> table = {
        {"layer", "output", "parameters", "multiply-adds", "weights (KiB)", "output (KiB)"}};
    for (const reports::LayerRow& row : rows) {
        const std::string local = row.name.substr(row.name.rfind('.') + 1);
        table.push_back({std::string(2 * detail::index(row.depth), ' ') + local, to_string(row.output),
                         number(row.parameters + row.frozen), number(row.multiply_adds),
                         row.parameter_bytes() > 0 ? kib(row.parameter_bytes()) : "", kib(row.output_bytes)});
    }
    std::string text = detail::text_table(table);
    text += std::string(text.find('\n', text.find('\n') + 1) - text.find('\n') - 1, '-') + "\n";
    const reports::LayerRow total = detail::total_of(rows);
    text += "parameters:         " + detail::with_commas(total.parameters + total.frozen) + " (" +
            detail::with_commas((total.parameters + total.frozen) * 4 / 1024) + " KiB as floats)\n";
    if (total.frozen > 0)
        text += "of these frozen:    " + detail::with_commas(total.frozen) + ", which training does not change\n";
    text += "running statistics: " + detail::with_commas(total.statistics) + "\n";
    text += "multiply-adds:      " + detail::with_commas(total.multiply_adds) + " per image\n";
    text += "all outputs:        " + kib(total.output_bytes) +
            " KiB per image, if each had memory of its own; a plan lets them share\n";
    return text;
}

/// A table of a network: every block and layer under its name, indented, with the shape of its output, parameters
/// without running statistics, multiply-adds per image, the bytes of its weights and statistics and those of its output
/// as floats, and the totals. A block's figures are the sums of its layers', but for its output.
template <class Net>
std::string summary() {
    const auto& program = lowered<Net>;
    return summary({program.ops.begin(), program.ops.end()}, {program.layers.begin(), program.layers.end()},
                   {program.parameters.begin(), program.parameters.end()});
}

}  // namespace TENON_ISA_NAMESPACE

namespace reports {
inline namespace TENON_ISA_NAMESPACE {

/// The blocks and layers of a network, each after the blocks that contain it.
template <class Net>
std::vector<LayerRow> layers() {
    const auto& program = lowered<Net>;
    return detail::layer_rows({program.ops.begin(), program.ops.end()}, {program.layers.begin(), program.layers.end()},
                              {program.parameters.begin(), program.parameters.end()});
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
