# Draws a recorder's trace: the use of each block, for some time around the first erasure of flash.
# A line is "trace WHAT ADDRESS STAMP NOW". With `read` or `kept`, the block was full from STAMP to NOW.
# `kept` stays until `sent`.
BEGIN {
    ms = 25000                                    # ticks
    left = 60; right = 790; top = 74; height = 17 # pixels
}
$1 == "trace" {
    if ($2 == "sent") {
        if ($3 in kept_at) add($3, kept_at[$3], $5, "#0072b2")
        delete kept_at[$3]
        next
    }
    if (lowest == 0 || $3 < lowest) lowest = $3
    if (last && $4 - last > longest) {
        longest = $4 - last
        gap = last
    }
    if (last && $4 - last > 1.5 * 10000) {
        gaps++
        gap_from[gaps] = last + 10000
        gap_to[gaps] = $4
    }
    last = $4
    add($3, $4, $5, "#e69f00")
    if ($2 == "kept") kept_at[$3] = $5
}
function add(address, from, to, colour) {
    parts++
    place[parts] = address
    begin[parts] = from
    end[parts] = to
    colours[parts] = colour
}
function x(ticks) { return left + (right - left) * (ticks - first) / (until - first) }
function rect(from, to, y, h, colour) {
    if (to < first || from > until) return
    if (from < first) from = first
    if (to > until) to = until
    printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", x(from), y, x(to) - x(from) + .3, h, colour
}
function text(at_x, y, anchor, colour, words, more) {
    printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\" fill=\"%s\"%s>%s</text>\n", at_x, y, anchor, colour, more, words
}
END {
    if (parts == 0) exit 1
    first = gap - 42 * ms
    until = gap + 58 * ms
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 400\" width=\"800\" height=\"400\" font-family=\"sans-serif\" font-size=\"13\">"
    print "<rect width=\"800\" height=\"400\" fill=\"white\"/>"
    text(left, 24, "start", "#222", "What each of the 16 blocks is used for, over 100 ms", " font-size=\"17\" font-weight=\"bold\"")
    text(left, 50, "start", "#777", "empty, lent to the interrupt", "")
    text(left + 190, 50, "start", "#b57d00", "full, waits for the main loop", " font-weight=\"bold\"")
    text(left + 400, 50, "start", "#0072b2", "kept for the radio", " font-weight=\"bold\"")
    text(left + 545, 50, "start", "#d55e00", "dropped: no block", " font-weight=\"bold\"")
    for (i = 0; i < 16; ++i) {
        rect(first, until, top + i * height, height - 3, "#e8e8e8")
        text(left - 8, top + i * height + 12, "end", "#555", i, "")
    }
    for (i = 1; i <= parts; ++i) rect(begin[i], end[i], top + (place[i] - lowest) / 104 * height, height - 3, colours[i])
    for (i = 1; i <= gaps; ++i) rect(gap_from[i], gap_to[i], top + 16 * height, height - 3, "#d55e00")
    for (t = 0; t <= 100; t += 20) text(x(first + t * ms), 382, t == 100 ? "end" : "middle", "#555", t == 100 ? "100 ms" : t, "")
    print "</svg>"
}
