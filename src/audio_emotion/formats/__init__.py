"""Results as text: one function for each format.

writers        what formats share: choosing one, times, colours, text that fits on a line
predictions    table, json, jsonl, csv; written while predictions are made
partial        predictions on their way into a file
timelines      table, json, csv, srt, vtt, textgrid, audacity, html
timeline_html  the page of a timeline, with the sound in it
report         an evaluation as JSON, Markdown and a page
plot           a timeline as an image
html, svg      templates, and the coordinates of the drawings in them
"""
