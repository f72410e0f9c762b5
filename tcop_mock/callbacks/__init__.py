"""Callbacks: generate, render, recognise and validate their bodies."""
