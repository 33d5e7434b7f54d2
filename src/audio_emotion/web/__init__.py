"""The page: one recording or a microphone, answered in the browser or by the service.

page    HTML, CSS and ES modules, as browsers get them; ort/ in it holds ONNX Runtime by `make page`
facts   what the page has to know of the model and of the rule for a recording
site    the page as files: for the service, for a folder, or all in one file
"""
