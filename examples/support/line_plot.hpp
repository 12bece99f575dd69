// SPDX-License-Identifier: BSL-1.0
// line_plot: a picture of a few lines over one axis, 800 pixels wide, as SVG.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// One line of a plot. Its points are drawn in their order.
struct plot_series {
    std::string name;
    std::vector<std::pair<double, double>> points;  // x, y
};

/// The text around the lines.
struct plot_frame {
    std::string title;
    std::string x_axis;  // with its unit
    std::string y_axis;
};

/// Draws the lines with axes, round numbers on the axes, and each line's name in its colour. Both axes begin at 0. A
/// value below 0 is drawn at 0. The picture is on white, whatever colours the browser has.
/// Requires: there is a point, and a point whose y is above 0; at most six lines.
class line_plot {
public:
    line_plot(plot_frame frame, std::vector<plot_series> lines) : frame_(std::move(frame)), lines_(std::move(lines)) {
        for (const plot_series& line : lines_) {
            for (const auto& [x, y] : line.points) {
                x_most_ = std::max(x_most_, x);
                y_most_ = std::max(y_most_, y);
            }
        }
        if (x_most_ == 0) x_most_ = 1;  // one point: any axis will do
        y_most_ = std::ceil(y_most_ / step(y_most_)) * step(y_most_);
    }

    /// The picture, as the text of an SVG file.
    [[nodiscard]] std::string svg() const {
        std::string out =
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 400\" width=\"800\" height=\"400\" "
            "font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"800\" height=\"400\" fill=\"white\"/>\n";
        out += text(left, 26, "start", "#222", frame_.title, R"( font-size="17" font-weight="bold")");
        out += text(left, 50, "start", "#555", frame_.y_axis);
        out += text(right, bottom + 42, "end", "#555", frame_.x_axis);
        for (int i = 0; i * step(y_most_) <= y_most_ * 1.001; ++i) {
            const double y = i * step(y_most_);
            out += rule(left, y_place(y), right, y_place(y)) + text(left - 8, y_place(y) + 5, "end", "#555", number(y));
        }
        for (int i = 0; i * step(x_most_) <= x_most_ * 1.001; ++i) {
            const double x = i * step(x_most_);
            out += rule(x_place(x), bottom, x_place(x), bottom + 6) +
                   text(x_place(x), bottom + 22, "middle", "#555", number(x));
        }
        double name_place = left + 150;
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            out += polyline(lines_[i], colours[i]);
            out += text(name_place, 50, "start", colours[i], lines_[i].name, " font-weight=\"bold\"");
            name_place += 24 + 8.5 * static_cast<double>(lines_[i].name.size());
        }
        return out + "</svg>\n";
    }

private:
    static constexpr double left = 70;  // pixels, as all positions
    static constexpr double right = 780;
    static constexpr double top = 70;
    static constexpr double bottom = 340;
    static constexpr std::array<const char*, 6> colours{"#0072b2", "#d55e00", "#009e73",
                                                        "#cc79a7", "#56b4e9", "#444444"};  // Okabe and Ito's

    /// The distance between numbers on an axis: 1, 2 or 5 times a power of ten. An axis has four to ten numbers.
    static double step(double most) {
        const double power = std::pow(10, std::floor(std::log10(most)));
        const double part = most / power;
        return power * (part < 2 ? .2 : part < 5 ? .5 : 1);
    }

    static std::string number(double value) {
        std::array<char, 32> digits{};
        std::snprintf(digits.data(), digits.size(), "%.6g", std::abs(value) < 1e-12 ? 0 : value);
        return digits.data();
    }

    static std::string place(double value) {
        std::array<char, 32> digits{};
        std::snprintf(digits.data(), digits.size(), "%.1f", value);
        return digits.data();
    }

    static std::string escaped(std::string_view words) {
        std::string out;
        for (const char letter : words) {
            out += letter == '<' ? "&lt;" : letter == '&' ? "&amp;" : std::string(1, letter);
        }
        return out;
    }

    static std::string text(double x, double y, std::string_view anchor, std::string_view colour,
                            std::string_view words, std::string_view more = "") {
        return "<text x=\"" + place(x) + "\" y=\"" + place(y) + "\" text-anchor=\"" + std::string(anchor) +
               "\" fill=\"" + std::string(colour) + '"' + std::string(more) + '>' + escaped(words) + "</text>\n";
    }

    static std::string rule(double x1, double y1, double x2, double y2) {
        return "<path d=\"M" + place(x1) + ' ' + place(y1) + 'L' + place(x2) + ' ' + place(y2) +
               "\" stroke=\"#ddd\"/>\n";
    }

    [[nodiscard]] std::string polyline(const plot_series& line, std::string_view colour) const {
        std::string out =
            R"(<polyline fill="none" stroke-width="1.5" stroke=")" + std::string(colour) + R"(" points=")";
        for (const auto& [x, y] : line.points) {
            out += place(x_place(x)) + ',' + place(y_place(y)) + ' ';
        }
        return out + "\"/>\n";
    }

    [[nodiscard]] double x_place(double x) const { return left + (right - left) * std::max(x, 0.0) / x_most_; }
    [[nodiscard]] double y_place(double y) const { return bottom - (bottom - top) * std::max(y, 0.0) / y_most_; }

    plot_frame frame_;
    std::vector<plot_series> lines_;
    double x_most_ = 0;
    double y_most_ = 0;
};
