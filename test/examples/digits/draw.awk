# Draws images of digits side by side with what the model predicts for them:
# first some of the start, then those that it got wrong, if there are any.
#
#   awk -F, -v images=test.csv -f draw.awk predictions.csv
#
# test.csv: 64 grey values 0..16 and the label on each line; predictions.csv: 10
# probabilities on each line, after a header if there is one.

BEGIN {
  while ((getline line < images) > 0) {
    image[++count] = line
  }
  split("  |░░|▒▒|▓▓|██", shade, "|")
}

$1 ~ /^[-+0-9.eE]+$/ {
  row++
  best[row] = 0
  for (k = 1; k < NF; k++) {
    if ($(k + 1) + 0 > $(best[row] + 1) + 0) best[row] = k
  }
  sure[row] = $(best[row] + 1)
  split(image[row], pixel, ",")
  label[row] = pixel[65]
  if (best[row] != label[row]) wrong[++mistakes] = row
}

function draw(rows, n,   i, y, x, pixel, line, text) {
  for (y = 0; y < 8; y++) {
    line = ""
    for (i = 1; i <= n; i++) {
      split(image[rows[i]], pixel, ",")
      for (x = 1; x <= 8; x++) line = line shade[1 + int(pixel[8 * y + x] / 3.9)]
      line = line "  "
    }
    print "  " line
  }
  line = ""
  for (i = 1; i <= n; i++) {
    text = sprintf("reads %d (%.0f %%)", best[rows[i]], 100 * sure[rows[i]])
    if (best[rows[i]] != label[rows[i]]) text = sprintf("reads %d, is %d", best[rows[i]], label[rows[i]])
    line = line sprintf("%-18s", text)
  }
  print "  " line "\n"
}

END {
  if (row != count) {
    print "draw.awk: " row " predictions for " count " images" > "/dev/stderr"
    exit 1
  }
  for (i = 1; i <= 4; i++) first[i] = i
  draw(first, 4)
  if (mistakes) {
    print "  " mistakes " of " row " are read wrong:"
    draw(wrong, mistakes < 4 ? mistakes : 4)
  }
}
