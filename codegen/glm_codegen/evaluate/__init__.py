"""Measuring of models by what their code does when it is run; nothing here serves an editor."""
