#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Svg: a small writer of SVG images: rectangles, lines, texts.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/io/utf8_text.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// A point of an image, in pixels from its upper left corner.
struct SvgPoint {
    double x, y;
};

/// Where a text is relative to its point.
enum class SvgAnchor { start, middle, end };

/// About `count` round numbers whose range contains `low` and `high`.
inline std::vector<double> ticks(double low, double high, int count) {
    const double raw = std::max((high - low) / count, 1e-9), power = std::pow(10, std::floor(std::log10(raw)));
    const double ratio = raw / power, step = (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10) * power;
    std::vector<double> result;
    const long last = std::lround(std::ceil(high / step - 1e-9));
    for (long i = std::lround(std::floor(low / step + 1e-9)); i <= last; ++i)
        result.push_back(static_cast<double>(i) * step);
    if (result.size() < 2) result.push_back(result.front() + step);
    return result;
}

/// Collects the elements of an image.
class Svg {
public:
    Svg(double width, double height) {
        body_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" + number(height) +
                "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
                "\" font-family=\"Helvetica, Arial, DejaVu Sans, sans-serif\">\n";
        rectangle({0, 0}, width, height, "#ffffff");
    }

    /// `tip` is what a browser shows while the pointer is on the rectangle.
    void rectangle(SvgPoint corner, double width, double height, std::string_view fill, double radius = 0,
                   double opacity = 1, std::string_view tip = {}) {
        body_ += "<rect x=\"" + number(corner.x) + "\" y=\"" + number(corner.y) + "\" width=\"" + number(width) +
                 "\" height=\"" + number(height) + "\" fill=\"" + std::string(fill) + "\"" +
                 (radius > 0 ? " rx=\"" + number(radius) + "\"" : "") +
                 (opacity < 1 ? " fill-opacity=\"" + number(opacity) + "\"" : "") +
                 (tip.empty() ? "/>\n" : "><title>" + escaped(tip) + "</title></rect>\n");
    }
    void circle(SvgPoint center, double radius, std::string_view fill) {
        body_ += "<circle cx=\"" + number(center.x) + "\" cy=\"" + number(center.y) + "\" r=\"" + number(radius) +
                 "\" fill=\"" + std::string(fill) + "\"/>\n";
    }
    void line(std::span<const SvgPoint> points, std::string_view color, double width = 1, bool dashed = false) {
        body_ += "<polyline fill=\"none\" stroke=\"" + std::string(color) + "\" stroke-width=\"" + number(width) +
                 "\" stroke-linejoin=\"round\" stroke-linecap=\"round\"" + (dashed ? " stroke-dasharray=\"5 4\"" : "") +
                 " points=\"";
        for (const SvgPoint& point : points) body_ += number(point.x) + "," + number(point.y) + " ";
        body_ += "\"/>\n";
    }
    /// `degrees` turns the text clockwise around its point.
    void text(SvgPoint at, std::string_view content, double size, std::string_view color = "#333333",
              SvgAnchor anchor = SvgAnchor::start, bool bold = false, double degrees = 0) {
        constexpr const char* anchors[] = {"start", "middle", "end"};
        body_ +=
            "<text x=\"" + number(at.x) + "\" y=\"" + number(at.y) + "\" font-size=\"" + number(size) + "\" fill=\"" +
            std::string(color) + "\" text-anchor=\"" + anchors[static_cast<int>(anchor)] + "\"" +
            (bold ? " font-weight=\"bold\"" : "") +
            (degrees != 0 ? " transform=\"rotate(" + number(degrees) + " " + number(at.x) + " " + number(at.y) + ")\""
                          : "") +
            ">" + escaped(content) + "</text>\n";
    }

    /// An upper bound for the width of a text in UTF-8: no common sans-serif font needs more.
    static double text_width(std::string_view text, double size, bool bold = false) {
        double ems = 0;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if ((byte & 0xC0U) == 0x80U) continue;  // continues a character
            if (byte >= 0x80U)
                ems += 1.1;  // may be as wide as it is high
            else
                ems += std::string_view("mwMW@%").find(c) != std::string_view::npos ? 1.05 : bold ? 0.74 : 0.66;
        }
        return ems * size;
    }

    /// A text broken at spaces into lines of at most `width`; a word that is longer has a line of its own.
    static std::vector<std::string> wrapped(std::string_view text, double width, double size, bool bold = false) {
        std::vector<std::string> lines;
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = std::min(text.find(' ', begin), text.size());
            const std::string word(text.substr(begin, end - begin));
            if (!lines.empty() && text_width(lines.back() + " " + word, size, bold) <= width)
                lines.back() += " " + word;
            else if (!word.empty())
                lines.push_back(word);
            begin = end + 1;
        }
        return lines;
    }

    /// The complete image.
    std::string str() const { return body_ + "</svg>\n"; }

    /// A number with at most two digits after the point, without trailing zeros.
    static std::string number(double value) {
        std::string result = number_text(value, std::chars_format::fixed, 2);
        while (result.ends_with('0')) result.pop_back();
        if (result.ends_with('.')) result.pop_back();
        return result == "-0" ? "0" : result;
    }

private:
    /// XML is UTF-8, and has no place for most control characters.
    static std::string escaped(std::string_view text) {
        std::string result;
        for (const char c : to_utf8(text)) {
            if (c == '<')
                result += "&lt;";
            else if (c == '>')
                result += "&gt;";
            else if (c == '&')
                result += "&amp;";
            else if (static_cast<unsigned char>(c) >= ' ')
                result += c;
        }
        return result;
    }

    std::string body_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
