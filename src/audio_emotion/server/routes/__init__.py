"""The addresses of the service.

options      parameters, and the format of an answer
uploads      the one recording of a request, in a private file
recordings   /v1/audio: emotions, timeline, explain
speakers     /v1/speakers: a neutral voice
realtime     the WebSocket
jobs         /v1/jobs
service      models, health, metrics, and the pages
"""
